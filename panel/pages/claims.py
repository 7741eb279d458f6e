"""Adding a domain: the customer claims it, and proves by a TXT record that it is his."""

from __future__ import annotations

import uuid
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from mailadmin import access
from mailadmin.errors import MailAdminError, NotFound
from mailadmin.models import Domain, DomainClaim
from mailadmin.services import claims, limits
from maildns.check import ZoneReport
from panel.doors import customer_page
from panel.forms.domains import ClaimForm
from panel.pages.forms_help import show_error
from panel.request import PanelRequest


@customer_page
@require_http_methods(["GET", "POST"])
def new(request: PanelRequest) -> HttpResponse:
    account = request.actor.account
    if account is None or request.actor.domain_id is not None:
        raise NotFound
    form = ClaimForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            claim = claims.claim(form.cleaned_data["name"], account, by=request.actor)
        except MailAdminError as error:
            show_error(form, error)
        else:
            claims.ask_for_check(claim, by=request.actor)
            return redirect(_address(claim))
    return render(
        request,
        "panel/domains/claim_new.html",
        {"form": form, "usage": limits.usage(account, "domains")},
        status=422 if request.method == "POST" else 200,
    )


def _address(claim: DomainClaim) -> str:
    return f"{reverse('claim', args=[claim.uid])}?{urlencode({'name': claim.name})}"


@customer_page
@require_GET
def show(request: PanelRequest, uid: uuid.UUID) -> HttpResponse:
    try:
        claim = access.get_claim(request.actor, uid)
    except NotFound:
        return redirect("domain_dns", name=_held_since(request).name)
    return render(request, "panel/domains/claim.html", _facts(request, claim))


@customer_page
@require_GET
def part(request: PanelRequest, uid: uuid.UUID) -> HttpResponse:
    """Whether the proof is seen. Once it is, the claim is gone and the domain is there."""
    try:
        claim = access.get_claim(request.actor, uid)
    except NotFound:
        answer = HttpResponse()
        answer["HX-Redirect"] = reverse("domain_dns", args=[_held_since(request).name])
        return answer
    return render(request, "panel/domains/claim.html#proof", _facts(request, claim))


def _held_since(request: PanelRequest) -> Domain:
    """The domain that a proved claim became: the page names it in its own address."""
    return access.get_domain(request.actor, request.GET.get("name", ""))


def _facts(request: PanelRequest, claim: DomainClaim) -> dict[str, object]:
    try:
        asked = min(max(int(request.GET.get("n", "0")), 0), 60)
    except ValueError:
        asked = 0
    report = ZoneReport.from_json(claim.report) if claim.report else None
    return {
        "claim": claim,
        "record": claims.proof_of(claim).records[0],
        "short_name": "_postkontor",
        "report": report,
        "seen": report.records[0] if report and report.records else None,
        "asked": asked + 1,
    }


@customer_page
@require_POST
def check(request: PanelRequest, uid: uuid.UUID) -> HttpResponse:
    claim = access.get_claim(request.actor, uid)
    claims.ask_for_check(claim, by=request.actor)
    return redirect(_address(claim))


@customer_page
@require_POST
def withdraw(request: PanelRequest, uid: uuid.UUID) -> HttpResponse:
    claim = access.get_claim(request.actor, uid)
    claims.withdraw(claim, by=request.actor)
    messages.success(request, _("%(name)s is no longer claimed.") % {"name": claim.display_name})
    return redirect("domains")
