"""What a mailbox sent, and stopping it."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from mailadmin import access
from mailadmin.errors import MailAdminError
from mailadmin.models.mailboxes import Waiting
from mailadmin.push import sent
from mailadmin.services import sending
from panel.doors import customer_page
from panel.request import PanelRequest


@customer_page
@require_GET
def show(request: PanelRequest, uid: uuid.UUID) -> HttpResponse:
    """What went out, the newest first, with the way to stop it."""
    mailbox = access.get_mailbox(request.actor, uid)
    before = request.GET.get("before", "")
    found = sent.of(mailbox, before=int(before) if before.isdecimal() and len(before) < 18 else 0)
    return render(
        request,
        "panel/mailboxes/sent.html",
        {
            "mailbox": mailbox,
            "address": mailbox.address,
            "sent": found,
            "allowed": mailbox.address.domain.account.allowed("sent_mailbox"),
            "alarm": sending.latest_alarm(mailbox.address),
        },
    )


@customer_page
@require_POST
def stop(request: PanelRequest, uid: uuid.UUID) -> HttpResponse:
    mailbox = access.get_mailbox(request.actor, uid)
    try:
        sending.stop(mailbox, by=request.actor)
    except MailAdminError as error:
        messages.error(request, error.for_user())
    else:
        messages.success(
            request, _("Stopped: nobody can log in, and what waits is held. It still receives.")
        )
    return redirect("mailbox_sent", uid=uid)


@customer_page
@require_POST
def lift(request: PanelRequest, uid: uuid.UUID) -> HttpResponse:
    mailbox = access.get_mailbox(request.actor, uid)
    waiting = Waiting.DELETE if request.POST.get("waiting") == "delete" else Waiting.RELEASE
    try:
        sending.lift(mailbox, waiting, by=request.actor)
    except MailAdminError as error:
        messages.error(request, error.for_user())
    else:
        messages.success(request, _("The mailbox may log in and send again."))
    return redirect("mailbox_sent", uid=uid)
