"""Writing a domain's records: how we reach its DNS, the plan, and what became of it."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from mailadmin import access
from mailadmin.errors import BadAccess, NotFound
from mailadmin.models import Domain
from mailadmin.services import publishing
from maildns.models import Publication, ZoneAccess
from maildns.plan import Plan
from panel.doors import customer_page
from panel.forms.publishing import AccessForm, ProviderForm, TsigForm, lexicon_form
from panel.request import PanelRequest


@customer_page
@require_http_methods(["GET", "POST"])
def set_access(request: PanelRequest, name: str) -> HttpResponse:
    """Two steps: the provider by GET, what it wants to be told by POST."""
    domain = _domain(request, name)
    access.may_write(request.actor, domain)
    kept = publishing.access_of(domain.zone)
    provider = request.GET.get("provider") or (kept.provider if kept else "")
    choices = publishing.choices_for(request.actor)
    form = _form(request, provider, kept, choices)
    if request.method == "POST" and form is not None and form.is_valid():
        try:
            publishing.save_access(
                domain, provider, form.options(), form.secrets(),
                automatic=form.cleaned_data["automatic"], by=request.actor,
            )  # fmt: skip
        except BadAccess as error:
            form.add_error(error.option if error.option in form.fields else None, error.for_user())
        else:
            publication = publishing.start(domain, by=request.actor)
            return redirect("domain_dns_plan", name=name, uid=publication.uid)
    facts = {
        "domain": domain,
        "kept": kept,
        "provider": provider,
        "provider_form": ProviderForm(choices, initial={"provider": provider}),
        "form": form,
    }
    failed = request.method == "POST"
    return render(request, "panel/dns/access.html", facts, status=422 if failed else 200)


def _form(
    request: PanelRequest, provider: str, kept: ZoneAccess | None, choices: list[Any]
) -> AccessForm | None:
    same = kept is not None and kept.provider == provider
    initial = {**kept.options, "automatic": kept.is_automatic} if kept and same else {}
    data = request.POST or None
    if provider == publishing.RFC2136:
        return TsigForm(data, initial={"port": "53", "automatic": True, **initial})
    for choice in choices:
        if choice.name == provider:
            return lexicon_form(choice, data, initial={"automatic": True, **initial})
    return None


@customer_page
@require_POST
def forget_access(request: PanelRequest, name: str) -> HttpResponse:
    publishing.remove_access(_domain(request, name), by=request.actor)
    messages.success(request, _("The credentials are forgotten. You enter the records yourself."))
    return redirect("domain_dns", name=name)


@customer_page
@require_POST
def start(request: PanelRequest, name: str) -> HttpResponse:
    domain = _domain(request, name)
    if publishing.access_of(domain.zone) is None:
        return redirect("domain_dns_access", name=name)
    publication = publishing.start(domain, by=request.actor)
    return redirect("domain_dns_plan", name=name, uid=publication.uid)


@customer_page
@require_GET
def show(request: PanelRequest, name: str, uid: uuid.UUID) -> HttpResponse:
    return render(request, "panel/dns/plan.html", _facts(request, name, uid))


@customer_page
@require_GET
def part(request: PanelRequest, name: str, uid: uuid.UUID) -> HttpResponse:
    return render(request, "panel/dns/plan.html#progress", _facts(request, name, uid))


@customer_page
@require_POST
def write(request: PanelRequest, name: str, uid: uuid.UUID) -> HttpResponse:
    publication = _publication(_domain(request, name), uid)
    publishing.approve(publication, request.POST.getlist("tick"), by=request.actor)
    return redirect("domain_dns_plan", name=name, uid=uid)


def _facts(request: PanelRequest, name: str, uid: uuid.UUID) -> dict[str, object]:
    domain = _domain(request, name)
    publication = _publication(domain, uid)
    try:
        asked = min(max(int(request.GET.get("n", "0")), 0), 60)
    except ValueError:
        asked = 0
    plan = Plan.from_json(publication.plan) if publication.plan else None
    results = {key: (state, reason, fact) for key, state, reason, fact in publication.results}
    changes = [(each, results.get(each.key)) for each in plan.changes] if plan else []
    return {
        "domain": domain,
        "publication": publication,
        "changes": changes,
        "foreign": sum(each.needs_tick for each, _result in changes),
        "asked": asked + 1,
    }


def _domain(request: PanelRequest, name: str) -> Domain:
    domain = access.get_domain(request.actor, name)
    return Domain.objects.select_related("zone", "account", "host").get(pk=domain.pk)


def _publication(domain: Domain, uid: uuid.UUID) -> Publication:
    found = Publication.objects.filter(zone=domain.zone, uid=uid).first()
    if found is None:
        raise NotFound
    return found
