"""A new address in three steps: address, person and password, review.

What was typed survives going back and, for a day, the end of the session: in a signed cookie,
without the password. The password is hashed in step 2 and kept sealed in the session.
"""

from __future__ import annotations

from typing import Any, TypedDict, cast

from django.conf import settings
from django.contrib import messages
from django.core import signing
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from mailadmin import access, crypto, naming, passwords
from mailadmin.errors import LimitReached, MailAdminError
from mailadmin.models import Address, Domain
from mailadmin.services import addresses, forwards, limits, mailboxes
from panel.doors import customer_page
from panel.forms.mailboxes import NewAddressForm, PersonForm
from panel.pages.forms_help import domain_choices, show_error
from panel.request import PanelRequest

COOKIE = "wizard"
DAY_SECONDS = 24 * 3600
SUGGESTIONS = ("info", "kontakt", "rechnung")


class Draft(TypedDict, total=False):
    """What the wizard knows so far."""

    local_part: str
    domain: str
    kind: str
    targets: str
    name: str
    quota_mib: int


def read_draft(request: PanelRequest) -> Draft:
    try:
        text = request.get_signed_cookie(
            COOKIE, salt=f"wizard-{request.user.pk}", max_age=DAY_SECONDS
        )
        return cast(Draft, signing.JSONSerializer().loads((text or "").encode()))
    except (KeyError, ValueError, signing.BadSignature):
        return {}


def keep_draft(request: PanelRequest, response: HttpResponse, draft: Draft) -> HttpResponse:
    response.set_signed_cookie(
        COOKIE,
        signing.JSONSerializer().dumps(draft).decode(),
        salt=f"wizard-{request.user.pk}",
        max_age=DAY_SECONDS,
        httponly=True,
        samesite="Lax",
        secure=settings.SESSION_COOKIE_SECURE,
    )
    return response


@customer_page
def address(request: PanelRequest) -> HttpResponse:
    """Step 1. A limit that is reached is said before anything is asked."""
    domains = domain_choices(request.actor)
    draft = read_draft(request)
    if request.GET.get("domain"):
        draft["domain"] = request.GET["domain"]
    if request.GET.get("local_part"):
        draft["local_part"] = request.GET["local_part"]
    if request.GET.get("kind") in ("mailbox", "forward"):
        draft["kind"] = request.GET["kind"]
    form = NewAddressForm(
        request.POST or None, domains=domains, initial={"kind": "mailbox", **draft}
    )
    if request.method == "POST" and form.is_valid():
        domain = access.get_domain(request.actor, form.cleaned_data["domain"])
        try:
            local_part = naming.parse_address(form.cleaned_data["local_part"], domain=domain.name)
            if conflict := addresses.find_conflict(domain, local_part):
                raise conflict
            if form.cleaned_data["kind"] == "forward":
                targets = naming.parse_targets(form.cleaned_data["targets"])
                addresses.refuse_loop(f"{local_part}@{domain.name}", targets)
        except MailAdminError as error:
            show_error(form, error)
        else:
            draft |= {**form.cleaned_data, "local_part": local_part}  # type: ignore[typeddict-item]
            step = "mailbox_new_review" if draft["kind"] == "forward" else "mailbox_new_person"
            return keep_draft(request, redirect(step), draft)
    account = request.actor.account
    return render(
        request,
        "panel/mailboxes/new_address.html",
        {
            "form": form,
            "step": 1,
            "domains": domains,
            "suggestions": _suggestions(request, domains),
            "usages": limits.usages(account) if account else {},
        },
        status=422 if request.method == "POST" else 200,
    )


def _suggestions(request: PanelRequest, domains: list[tuple[str, str]]) -> list[str]:
    """Common names that the first domain does not have yet."""
    if not domains:
        return []
    taken = (
        access.addresses_for(request.actor)
        .filter(domain__name=domains[0][0], local_part__in=SUGGESTIONS)
        .values_list("local_part", flat=True)
    )
    return [name for name in SUGGESTIONS if name not in set(taken)]


@customer_page
@require_GET
def free(request: PanelRequest) -> HttpResponse:
    """The answer while typing: free, taken and by what, or not possible and why."""
    typed, name = request.GET.get("local_part", ""), request.GET.get("domain", "")
    context: dict[str, Any] = {"typed": typed}
    if typed.strip():
        domain = access.get_domain(request.actor, name)
        try:
            local_part = naming.parse_address(typed, domain=domain.name)
            context["email"] = f"{local_part}@{domain.display_name}"
            if conflict := addresses.find_conflict(domain, local_part):
                raise conflict
        except MailAdminError as error:
            context["error"] = error
    return render(request, "panel/mailboxes/new_address.html#free", context)


@customer_page
def person(request: PanelRequest) -> HttpResponse:
    """Step 2: who it is for, and the password."""
    draft = read_draft(request)
    domain = _domain_of(request, draft)
    if domain is None or draft.get("kind") != "mailbox":
        return redirect("mailbox_new")
    initial = {
        "quota_mib": draft.get("quota_mib") or _default_quota(domain),
        "name": draft.get("name", ""),
    }
    form = PersonForm(request.POST or None, initial=initial)
    email = f"{draft['local_part']}@{domain.name}"
    if request.method == "POST" and form.is_valid():
        try:
            passwords.check_strength(form.cleaned_data["password"], address=email)
        except MailAdminError as error:
            show_error(form, error)
        else:
            hashed = passwords.hash_password(form.cleaned_data["password"])
            request.session["wizard_hash"] = [email, crypto.seal(hashed.encode())]
            draft |= {
                "name": form.cleaned_data["name"],
                "quota_mib": form.cleaned_data["quota_mib"],
            }
            return keep_draft(request, redirect("mailbox_new_review"), draft)
    return render(
        request,
        "panel/mailboxes/new_person.html",
        {
            "form": form,
            "step": 2,
            "email": email,
            "suggestion": passwords.suggest_passphrase(request.LANGUAGE_CODE),
        },
        status=422 if request.method == "POST" else 200,
    )


def _domain_of(request: PanelRequest, draft: Draft) -> Domain | None:
    if not draft.get("local_part") or not draft.get("domain"):
        return None
    return access.domains_for(request.actor).filter(name=draft["domain"]).first()


def _default_quota(domain: Domain) -> int:
    plan = domain.account.plan
    wanted = plan.default_quota_mib if plan else 1024
    left = limits.usage(domain.account, "quota_mib").left
    return max(1, wanted if left is None else min(wanted, left))


@customer_page
def review(request: PanelRequest) -> HttpResponse:
    """Step 3: look once more, then make it."""
    draft = read_draft(request)
    domain = _domain_of(request, draft)
    if domain is None:
        return redirect("mailbox_new")
    email = f"{draft['local_part']}@{domain.name}"
    kept = request.session.get("wizard_hash")
    if draft["kind"] == "mailbox" and (not kept or kept[0] != email):
        return redirect("mailbox_new_person")
    error: MailAdminError | None = None
    if request.method == "POST":
        try:
            made = _make(request, domain, draft, kept)
        except MailAdminError as refused:
            error = refused
        else:
            request.session.pop("wizard_hash", None)
            messages.success(request, _("%(address)s is set up.") % {"address": made.email})
            response = redirect(made.kind, uid=made.uid)
            response.delete_cookie(COOKIE, samesite="Lax")
            return response
    return render(
        request,
        "panel/mailboxes/new_review.html",
        {
            "step": 3,
            "email": email,
            "draft": draft,
            "targets": naming.parse_targets(draft["targets"]) if draft["kind"] == "forward" else [],
            "error": error,
            "is_limit": isinstance(error, LimitReached),
        },
        status=422 if error else 200,
    )


def _make(request: PanelRequest, domain: Domain, draft: Draft, kept: list[str] | None) -> Address:
    if draft["kind"] == "forward":
        return forwards.create_forward(
            domain, local_part=draft["local_part"], targets=draft["targets"], by=request.actor
        ).address
    assert kept is not None  # noqa: S101  (checked by the caller)
    access.may_write(request.actor, domain)
    return mailboxes.insert_mailbox(
        domain,
        local_part=naming.parse_address(draft["local_part"], domain=domain.name),
        hashed=crypto.unseal(kept[1]).decode(),
        quota_mib=draft["quota_mib"],
        name=draft.get("name", ""),
        by=request.actor,
    ).address


@customer_page
@require_POST
def cancel(request: PanelRequest) -> HttpResponse:
    request.session.pop("wizard_hash", None)
    response = redirect("mailboxes")
    response.delete_cookie(COOKIE, samesite="Lax")
    return response
