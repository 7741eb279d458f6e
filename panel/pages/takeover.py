"""Moving a domain's mail here: what changes, what stays, and when each step may come."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from mailadmin import access
from mailadmin.models import Domain
from mailadmin.services import domains, takeover
from maildns.hosters import HOSTERS
from maildns.mail_providers import PROVIDERS
from panel.doors import customer_page
from panel.request import PanelRequest


@customer_page
@require_GET
def show(request: PanelRequest, name: str) -> HttpResponse:
    return render(request, "panel/dns/takeover.html", _facts(request, name))


@customer_page
@require_GET
def part(request: PanelRequest, name: str) -> HttpResponse:
    return render(request, "panel/dns/takeover.html#plan", _facts(request, name))


@customer_page
@require_POST
def read(request: PanelRequest, name: str) -> HttpResponse:
    takeover.ask_for_plan(_domain(request, name), by=request.actor)
    return redirect("domain_takeover", name=name)


@customer_page
@require_POST
def elsewhere(request: PanelRequest, name: str) -> HttpResponse:
    domain = _domain(request, name)
    to_us = request.POST.get("where") == "here"
    domains.set_mail_elsewhere(domain, not to_us, by=request.actor)
    messages.success(request, _("The change is saved and on its way to the mail host."))
    return redirect("domain_takeover", name=name)


def _facts(request: PanelRequest, name: str) -> dict[str, object]:
    domain = _domain(request, name)
    try:
        asked = min(max(int(request.GET.get("n", "0")), 0), 60)
    except ValueError:
        asked = 0
    plan = takeover.plan_of(domain.zone)
    return {
        "domain": domain,
        "plan": plan,
        "provider": next((p for p in PROVIDERS if plan and p.code == plan.provider), None),
        "hoster": next((h for h in HOSTERS if plan and h.code == plan.hoster), None),
        "asked": asked + 1,
    }


def _domain(request: PanelRequest, name: str) -> Domain:
    domain = access.get_domain(request.actor, name)
    return Domain.objects.select_related("zone", "account", "host").get(pk=domain.pk)
