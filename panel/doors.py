"""The door of the pages: logged in, with an account, and refusals turned into answers."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, cast

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from mailadmin.errors import NotAllowed, NotFound
from panel.request import PanelRequest

Page = Callable[..., HttpResponse]


def operator_page(page: Page) -> Callable[..., HttpResponse]:
    """A page for the operator alone; to everybody else it does not exist."""

    @login_required
    @wraps(page)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        actor = cast(PanelRequest, request).actor
        if not actor.is_operator or actor.account is not None:
            raise Http404
        try:
            return page(request, *args, **kwargs)
        except NotFound as error:
            raise Http404 from error

    return guarded


def customer_page(page: Page) -> Callable[..., HttpResponse]:
    """A page of the panel. What is absent and what is foreign are the same 404."""

    @login_required
    @wraps(page)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        actor = cast(PanelRequest, request).actor
        if actor.is_operator and actor.account is None and request.resolver_match is not None:
            # The operator has no account of his own; his pages are the admin and what it links to.
            if request.resolver_match.url_name == "dashboard":
                return redirect("admin:index")
        elif actor.account is None:
            return render(request, "panel/no_account.html", status=403)
        try:
            return page(request, *args, **kwargs)
        except NotFound as error:
            raise Http404 from error
        except NotAllowed as error:
            raise PermissionDenied from error

    return guarded
