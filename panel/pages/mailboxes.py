"""Pages of mailboxes, and what all addresses share: state, trash."""

from __future__ import annotations

import uuid
from collections.abc import Callable

from django.contrib import messages
from django.forms import Form
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from mailadmin import access, passwords
from mailadmin.errors import MailAdminError
from mailadmin.models import Address, Mailbox
from mailadmin.models.states import State
from mailadmin.push.usage import used_mib
from mailadmin.services import addresses, limits, mailboxes, status
from panel.doors import customer_page
from panel.forms.mailboxes import ForwardingForm, NameForm, PasswordForm, QuotaForm
from panel.pages import paging
from panel.pages.forms_help import show_error
from panel.request import PanelRequest

PAGE_OF_KIND = {"mailbox": "mailbox", "alias": "alias", "forward": "forward"}


@customer_page
@require_GET
def show_all(request: PanelRequest) -> HttpResponse:
    rows = access.mailboxes_for(request.actor).exclude(address__state="trash")
    search = request.GET.get("q", "").strip().lower()
    if search:
        local_part, _at, domain = search.partition("@")
        rows = rows.filter(address__local_part__contains=local_part)
        if domain:
            rows = rows.filter(address__domain__name__startswith=domain)
    page = paging.by_key(
        rows.prefetch_related("address__targets", "aliases"),
        "address__uid",
        request.GET.get("after", ""),
    )
    page.rows.sort(key=lambda mailbox: mailbox.address.email)
    statuses = status.of_many([mailbox.address for mailbox in page.rows])
    account = request.actor.account
    return render(
        request,
        "panel/mailboxes/list.html",
        {
            "page": page,
            "rows": [(mailbox, statuses[mailbox.pk]) for mailbox in page.rows],
            "search": search,
            "usage": limits.usage(account, "mailboxes") if account else None,
            "trash_count": access.addresses_for(request.actor).filter(state="trash").count(),
        },
    )


@customer_page
@require_GET
def show_trash(request: PanelRequest) -> HttpResponse:
    rows = access.addresses_for(request.actor).filter(state="trash")
    page = paging.newest_first(rows, request.GET.get("before", ""))
    return render(
        request,
        "panel/mailboxes/trash.html",
        {"page": page, "rows": [(row, addresses.trash_ends_at(row)) for row in page.rows]},
    )


@customer_page
@require_GET
def show(request: PanelRequest, uid: uuid.UUID) -> HttpResponse:
    return _page(request, access.get_mailbox(request.actor, uid))


def _page(
    request: PanelRequest, mailbox: Mailbox, *, code: int = 200, **forms: Form
) -> HttpResponse:
    """The page of one mailbox; a form that was refused comes back with what was typed."""
    address = mailbox.address
    targets = addresses.leads_to(address)
    return render(
        request,
        "panel/mailboxes/show.html",
        {
            "mailbox": mailbox,
            "address": address,
            "change": status.of(address),
            "aliases": mailbox.aliases.exclude(address__state="trash").select_related(
                "address__domain"
            ),
            "targets": targets,
            "used_mib": None if address.is_in_trash else used_mib(mailbox),
            "settings": address.domain.host.client_settings,
            "suggestion": passwords.suggest_passphrase(request.LANGUAGE_CODE),
            "trash_ends_at": addresses.trash_ends_at(address),
            "states": State,
            "password_form": PasswordForm(),
            "quota_form": QuotaForm(initial={"quota_mib": mailbox.quota_mib}),
            "name_form": NameForm(initial={"name": mailbox.name}),
            "forwarding_form": ForwardingForm(
                initial={"targets": "\n".join(targets), "keep_copy": mailbox.keep_copy}
            ),
            **forms,
        },
        status=code,
    )


def _change(
    request: PanelRequest,
    uid: uuid.UUID,
    key: str,
    form: Form,
    verb: Callable[[Mailbox], object],
    done: str,
) -> HttpResponse:
    mailbox = access.get_mailbox(request.actor, uid)
    if form.is_valid():
        try:
            verb(mailbox)
        except MailAdminError as error:
            show_error(form, error)
        else:
            messages.success(request, done)
            return redirect("mailbox", uid=uid)
    return _page(request, mailbox, code=422, **{key: form})


@customer_page
@require_POST
def password(request: PanelRequest, uid: uuid.UUID) -> HttpResponse:
    form = PasswordForm(request.POST)
    return _change(
        request,
        uid,
        "password_form",
        form,
        lambda mailbox: mailboxes.change_password(
            mailbox, form.cleaned_data["password"], by=request.actor
        ),
        _("The new password is saved. It works as soon as the mail host has proved it."),
    )


@customer_page
@require_POST
def quota(request: PanelRequest, uid: uuid.UUID) -> HttpResponse:
    form = QuotaForm(request.POST)
    return _change(
        request,
        uid,
        "quota_form",
        form,
        lambda mailbox: mailboxes.change_quota(
            mailbox, form.cleaned_data["quota_mib"], by=request.actor
        ),
        _("The new storage is saved and on its way to the mail host."),
    )


@customer_page
@require_POST
def name(request: PanelRequest, uid: uuid.UUID) -> HttpResponse:
    form = NameForm(request.POST)
    return _change(
        request,
        uid,
        "name_form",
        form,
        lambda mailbox: mailboxes.rename_person(
            mailbox, form.cleaned_data["name"], by=request.actor
        ),
        _("The name is saved."),
    )


@customer_page
@require_POST
def forwarding(request: PanelRequest, uid: uuid.UUID) -> HttpResponse:
    form = ForwardingForm(request.POST)
    return _change(
        request,
        uid,
        "forwarding_form",
        form,
        lambda mailbox: mailboxes.set_forwarding(
            mailbox,
            form.cleaned_data["targets"],
            keep_copy=form.cleaned_data["keep_copy"],
            by=request.actor,
        ),
        _("The forwarding is saved and on its way to the mail host."),
    )


@customer_page
@require_POST
def state(request: PanelRequest, uid: uuid.UUID) -> HttpResponse:
    address = access.get_address(request.actor, uid)
    chosen = request.POST.get("state", "")
    if chosen in (State.ACTIVE, State.LOGIN_OFF, State.OFF):
        _try(request, lambda: addresses.set_state(address, State(chosen), by=request.actor))
    return redirect(PAGE_OF_KIND[address.kind], uid=uid)


@customer_page
@require_POST
def trash(request: PanelRequest, uid: uuid.UUID) -> HttpResponse:
    address = access.get_address(request.actor, uid)
    if _try(request, lambda: addresses.move_to_trash(address, by=request.actor)):
        return redirect("trash")
    return redirect(PAGE_OF_KIND[address.kind], uid=uid)


@customer_page
@require_POST
def restore(request: PanelRequest, uid: uuid.UUID) -> HttpResponse:
    address = access.get_address(request.actor, uid)
    if _try(request, lambda: addresses.restore(address, by=request.actor)):
        return redirect(PAGE_OF_KIND[address.kind], uid=uid)
    return redirect("trash")


@customer_page
@require_POST
def delete(request: PanelRequest, uid: uuid.UUID) -> HttpResponse:
    """Delete for ever: only from the trash, and only with the address typed once more."""
    address = access.get_address(request.actor, uid)
    if request.POST.get("confirm", "").strip().lower() != address.email:
        messages.error(request, _("Type the whole address to delete it for ever."))
        return redirect("trash")
    if _try(request, lambda: addresses.delete_for_ever(address, by=request.actor)):
        messages.success(
            request, _("%(address)s is deleted for ever.") % {"address": address.email}
        )
    return redirect("trash")


def _try(request: PanelRequest, verb: Callable[[], Address | None]) -> bool:
    """Run a verb that has no form; say why it was refused."""
    try:
        verb()
    except MailAdminError as error:
        messages.error(request, error.for_user())
        return False
    messages.success(request, _("The change is saved and on its way to the mail host."))
    return True
