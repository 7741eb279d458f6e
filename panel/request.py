"""The request as our pages see it."""

from __future__ import annotations

from django.http import HttpRequest
from django_htmx.middleware import HtmxDetails

from mailadmin.actors import Actor
from mailadmin.models import User


class PanelRequest(HttpRequest):
    """A request of a logged-in user. For type checkers only; never constructed."""

    user: User
    actor: Actor
    htmx: HtmxDetails
    change_id: str
