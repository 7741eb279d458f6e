"""The first page: what needs attention, what there is, what happened last."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render

from mailadmin import access
from mailadmin.models import Address
from mailadmin.services import limits, status
from panel.doors import customer_page
from panel.request import PanelRequest


@customer_page
def show(request: PanelRequest) -> HttpResponse:
    actor = request.actor
    assert actor.account is not None  # noqa: S101  (the operator was led to the admin)
    mailboxes = list(
        access.mailboxes_for(actor)
        .exclude(address__state="trash")
        .order_by("address__local_part")[:8]
    )
    statuses = status.of_many([mailbox.address for mailbox in mailboxes])
    forwards = list(
        access.forwards_for(actor)
        .exclude(address__state="trash")
        .prefetch_related("address__targets")
        .order_by("address__local_part")[:5]
    )
    return render(
        request,
        "panel/dashboard.html",
        {
            "usages": limits.usages(actor.account),
            "domains": list(access.domains_for(actor).order_by("name")[:5]),
            "mailboxes": [(mailbox, statuses[mailbox.pk]) for mailbox in mailboxes],
            "forwards": forwards,
            "events": list(access.audit_for(actor).order_by("-id")[:5]),
            "failed": [mailbox for mailbox in mailboxes if statuses[mailbox.pk].state == "failed"],
            "trash_count": access.addresses_for(actor).filter(state="trash").count(),
            "kinds": Address.Kind,
        },
    )
