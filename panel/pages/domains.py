"""Pages of domains."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from mailadmin import access
from mailadmin.errors import MailAdminError
from mailadmin.models import Address, Domain
from mailadmin.models.states import State
from mailadmin.services import dnsview, domains, status
from panel.doors import customer_page
from panel.forms.domains import CatchAllForm
from panel.pages import paging
from panel.request import PanelRequest


@customer_page
@require_GET
def show_all(request: PanelRequest) -> HttpResponse:
    page = paging.by_key(
        access.domains_for(request.actor).select_related("zone"),
        "name",
        request.GET.get("after", ""),
    )
    statuses = status.of_many(page.rows)
    return render(
        request,
        "panel/domains/list.html",
        {
            "page": page,
            "rows": [(domain, statuses[domain.pk]) for domain in page.rows],
            "claims": access.claims_for(request.actor).order_by("name")[:50],
            "deleted": [
                (domain, domain.deleted_at + domains.REST)
                for domain in access.deleted_domains_for(request.actor).order_by("name")[:50]
                if domain.deleted_at
            ],
            "may_claim": request.actor.account is not None and request.actor.domain_id is None,
        },
    )


@customer_page
@require_GET
def show(request: PanelRequest, name: str) -> HttpResponse:
    domain = access.get_domain(request.actor, name)
    return _page(request, domain, CatchAllForm(initial={"target": domain.catch_all}))


def _page(
    request: PanelRequest, domain: Domain, form: CatchAllForm, *, code: int = 200
) -> HttpResponse:
    addresses = access.addresses_for(request.actor).filter(domain=domain).exclude(state="trash")
    return render(
        request,
        "panel/domains/show.html",
        {
            "domain": domain,
            "change": status.of(domain),
            "form": form,
            "mailboxes": addresses.filter(kind=Address.Kind.MAILBOX)[:200],
            "counts": {kind: addresses.filter(kind=kind).count() for kind in Address.Kind.values},
            "has_addresses": bool(domain.catch_all) or addresses.exists(),
            "dns": dnsview.of_domain(domain),
            "settings": domain.host.client_settings,
        },
        status=code,
    )


@customer_page
@require_POST
def catch_all(request: PanelRequest, name: str) -> HttpResponse:
    domain = access.get_domain(request.actor, name)
    form = CatchAllForm(request.POST)
    if form.is_valid():
        try:
            domains.set_catch_all(domain, form.cleaned_data["target"], by=request.actor)
        except MailAdminError as error:
            form.add_error("target", error.for_user())
        else:
            messages.success(request, _("The catch-all is saved and on its way to the mail host."))
            return redirect("domain", name=domain.name)
    return _page(request, domain, form, code=422)


@customer_page
@require_POST
def state(request: PanelRequest, name: str) -> HttpResponse:
    domain = access.get_domain(request.actor, name)
    chosen = request.POST.get("state", "")
    if chosen in (State.ACTIVE, State.LOGIN_OFF, State.OFF):
        domains.set_domain_state(domain, State(chosen), by=request.actor)
        messages.success(request, _("The change is saved and on its way to the mail host."))
    return redirect("domain", name=domain.name)


@customer_page
@require_POST
def parked(request: PanelRequest, name: str) -> HttpResponse:
    """Use a domain without mail, or with it again."""
    domain = access.get_domain(request.actor, name)
    to_park = request.POST.get("mail") == "without"
    try:
        domains.set_parked(domain, to_park, by=request.actor)
    except MailAdminError as error:
        messages.error(request, error.for_user())
        return redirect("domain", name=name)
    messages.success(request, _("Now enter the records, or have them published."))
    return redirect("domain_dns", name=name)


@customer_page
@require_POST
def delete(request: PanelRequest, name: str) -> HttpResponse:
    """Delete a domain, with its name typed once more. It can be brought back for 30 days."""
    domain = access.get_domain(request.actor, name)
    if request.POST.get("confirm", "").strip().lower() not in (domain.name, domain.display_name):
        messages.error(request, _("Type the whole domain to delete it."))
        return redirect("domain", name=name)
    try:
        domains.delete_domain(domain, by=request.actor)
    except MailAdminError as error:
        messages.error(request, error.for_user())
        return redirect("domain", name=name)
    messages.success(
        request,
        _("%(name)s is deleted. It can be restored for 30 days.") % {"name": domain.display_name},
        extra_tags=f"undo:{reverse('domain_restore', args=[name])}",
    )
    return redirect("domains")


@customer_page
@require_POST
def restore(request: PanelRequest, name: str) -> HttpResponse:
    domain = access.get_deleted_domain(request.actor, name)
    try:
        domains.restore_domain(domain, by=request.actor)
    except MailAdminError as error:
        messages.error(request, error.for_user())
        return redirect("domains")
    messages.success(request, _("The domain is back. Enter the records of its new DKIM keys."))
    return redirect("domain_dns", name=name)
