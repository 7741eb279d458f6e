"""Pages of forwards."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from mailadmin import access
from mailadmin.errors import MailAdminError
from mailadmin.services import addresses, forwards, limits, status
from panel.doors import customer_page
from panel.forms.mailboxes import ForwardForm, NewForwardForm
from panel.pages import paging
from panel.pages.forms_help import domain_choices, show_error
from panel.request import PanelRequest


@customer_page
@require_GET
def show_all(request: PanelRequest) -> HttpResponse:
    rows = (
        access.forwards_for(request.actor)
        .exclude(address__state="trash")
        .prefetch_related("address__targets")
    )
    page = paging.newest_first(rows, request.GET.get("before", ""))
    statuses = status.of_many([forward.address for forward in page.rows])
    account = request.actor.account
    return render(
        request,
        "panel/forwards/list.html",
        {
            "page": page,
            "rows": [(forward, statuses[forward.pk]) for forward in page.rows],
            "usage": limits.usage(account, "forwards") if account else None,
        },
    )


@customer_page
def create(request: PanelRequest) -> HttpResponse:
    form = NewForwardForm(
        request.POST or None,
        domains=domain_choices(request.actor),
        initial={"domain": request.GET.get("domain", "")},
    )
    if request.method == "POST" and form.is_valid():
        domain = access.get_domain(request.actor, form.cleaned_data["domain"])
        try:
            forward = forwards.create_forward(
                domain,
                local_part=form.cleaned_data["local_part"],
                targets=form.cleaned_data["targets"],
                by=request.actor,
            )
        except MailAdminError as error:
            show_error(form, error)
        else:
            messages.success(
                request, _("%(address)s is set up.") % {"address": forward.address.email}
            )
            return redirect("forward", uid=forward.address.uid)
    account = request.actor.account
    return render(
        request,
        "panel/forwards/new.html",
        {"form": form, "usage": limits.usage(account, "forwards") if account else None},
        status=422 if request.method == "POST" else 200,
    )


@customer_page
def show(request: PanelRequest, uid: uuid.UUID) -> HttpResponse:
    forward = access.get_forward(request.actor, uid)
    targets = addresses.leads_to(forward.address)
    form = ForwardForm(request.POST or None, initial={"targets": "\n".join(targets)})
    if request.method == "POST" and form.is_valid():
        try:
            forwards.change_targets(forward, form.cleaned_data["targets"], by=request.actor)
        except MailAdminError as error:
            show_error(form, error)
        else:
            messages.success(request, _("The change is saved and on its way to the mail host."))
            return redirect("forward", uid=uid)
    return render(
        request,
        "panel/forwards/show.html",
        {
            "forward": forward,
            "address": forward.address,
            "targets": targets,
            "change": status.of(forward.address),
            "form": form,
            "trash_ends_at": addresses.trash_ends_at(forward.address),
        },
        status=422 if request.method == "POST" else 200,
    )
