"""The one table of states for mailbox, domain and account."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class State(models.TextChoices):
    """What still works; the effective state is the strictest of mailbox, domain and accounts."""

    ACTIVE = "active", _("active")  # receives, sends, logs in, forwards
    LOGIN_OFF = "login_off", _("log-in off")  # receives and forwards
    OFF = "off", _("off")  # senders get a 5xx with a sentence
    TRASH = "trash", _("in the trash")  # the address stays reserved


STRICTNESS = {State.ACTIVE: 0, State.LOGIN_OFF: 1, State.OFF: 2, State.TRASH: 3}


def strictest(*states: str) -> State:
    return max((State(state) for state in states), key=STRICTNESS.__getitem__)
