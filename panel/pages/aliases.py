"""Pages of aliases: second addresses of one mailbox."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from mailadmin import access
from mailadmin.errors import MailAdminError
from mailadmin.services import addresses, aliases, limits, status
from panel.doors import customer_page
from panel.forms.mailboxes import NewAliasForm, PointAliasForm
from panel.pages import paging
from panel.pages.forms_help import domain_choices, mailbox_choices, show_error
from panel.request import PanelRequest


@customer_page
@require_GET
def show_all(request: PanelRequest) -> HttpResponse:
    rows = access.aliases_for(request.actor).exclude(address__state="trash")
    page = paging.newest_first(rows, request.GET.get("before", ""))
    statuses = status.of_many([alias.address for alias in page.rows])
    account = request.actor.account
    return render(
        request,
        "panel/aliases/list.html",
        {
            "page": page,
            "rows": [(alias, statuses[alias.pk]) for alias in page.rows],
            "usage": limits.usage(account, "aliases") if account else None,
        },
    )


@customer_page
def create(request: PanelRequest) -> HttpResponse:
    form = NewAliasForm(
        request.POST or None,
        domains=domain_choices(request.actor),
        mailboxes=mailbox_choices(request.actor),
        initial={
            "mailbox": request.GET.get("mailbox", ""),
            "domain": request.GET.get("domain", ""),
        },
    )
    if request.method == "POST" and form.is_valid():
        domain = access.get_domain(request.actor, form.cleaned_data["domain"])
        mailbox = access.get_mailbox(request.actor, form.cleaned_data["mailbox"])
        try:
            alias = aliases.create_alias(
                domain,
                local_part=form.cleaned_data["local_part"],
                mailbox=mailbox,
                by=request.actor,
            )
        except MailAdminError as error:
            show_error(form, error)
        else:
            messages.success(
                request, _("%(address)s is set up.") % {"address": alias.address.email}
            )
            return redirect("alias", uid=alias.address.uid)
    account = request.actor.account
    return render(
        request,
        "panel/aliases/new.html",
        {"form": form, "usage": limits.usage(account, "aliases") if account else None},
        status=422 if request.method == "POST" else 200,
    )


@customer_page
def show(request: PanelRequest, uid: uuid.UUID) -> HttpResponse:
    alias = access.get_alias(request.actor, uid)
    form = PointAliasForm(
        request.POST or None,
        mailboxes=mailbox_choices(request.actor),
        initial={"mailbox": str(alias.mailbox.address.uid)},
    )
    if request.method == "POST" and form.is_valid():
        mailbox = access.get_mailbox(request.actor, form.cleaned_data["mailbox"])
        try:
            aliases.point_alias(alias, mailbox, by=request.actor)
        except MailAdminError as error:
            show_error(form, error)
        else:
            messages.success(request, _("The change is saved and on its way to the mail host."))
            return redirect("alias", uid=uid)
    return render(
        request,
        "panel/aliases/show.html",
        {
            "alias": alias,
            "address": alias.address,
            "change": status.of(alias.address),
            "form": form,
            "trash_ends_at": addresses.trash_ends_at(alias.address),
        },
        status=422 if request.method == "POST" else 200,
    )
