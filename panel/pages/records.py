"""The DNS page of a domain: what must stand there, what stands there, and what to do."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from django.conf import settings
from django.contrib import messages
from django.core import signing
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from mailadmin import access
from mailadmin.errors import MailAdminError
from mailadmin.models import Domain
from mailadmin.models.domains import StsMode
from mailadmin.services import dkim, dnsview, publishing, sts, zones
from panel.doors import customer_page
from panel.request import PanelRequest

LINK_LIFETIME = timedelta(days=14)
_SALT = "postkontor.technician"


@customer_page
@require_GET
def show(request: PanelRequest, name: str) -> HttpResponse:
    domain = _domain(request, name)
    if domain.zone.checked_at is None and not domain.zone.is_being_checked:
        zones.ask_for_check(domain, by=request.actor)
        domain.zone.refresh_from_db()
    link = request.session.pop("technician_link", "")
    return render(request, "panel/dns/show.html", {**_facts(domain, request), "link": link})


@customer_page
@require_GET
def part(request: PanelRequest, name: str) -> HttpResponse:
    """The records alone; the fragment asks again until the look is over."""
    facts = _facts(_domain(request, name), request)
    return render(request, "panel/dns/records.html", facts)


def _domain(request: PanelRequest, name: str) -> Domain:
    domain = access.get_domain(request.actor, name)
    return Domain.objects.select_related("zone", "host", "account").get(pk=domain.pk)


def _facts(domain: Domain, request: HttpRequest) -> dict[str, object]:
    try:
        asked = min(max(int(request.GET.get("n", "0")), 0), 60)
    except ValueError:
        asked = 0
    return {
        "domain": domain,
        "view": dnsview.of_domain(domain),
        "asked": asked + 1,
        "access": publishing.access_of(domain.zone),
        "enforceable_at": sts.enforceable_at(domain),
        "may_enforce": _is_over(sts.enforceable_at(domain)),
        "link_days": LINK_LIFETIME.days,
    }


def _is_over(at: datetime | None) -> bool:
    return at is not None and at <= timezone.now()


@customer_page
@require_POST
def check(request: PanelRequest, name: str) -> HttpResponse:
    zones.ask_for_check(access.get_domain(request.actor, name), by=request.actor)
    return redirect("domain_dns", name=name)


# --- to take away -------------------------------------------------------------------------------


@customer_page
@require_GET
def as_text(request: PanelRequest, name: str) -> HttpResponse:
    """All records for somebody who enters them: name, type, value, a blank line."""
    view = dnsview.of_domain(_domain(request, name))
    return _text("".join(_block(each) for each in view.records if each.values))


def _block(record: dnsview.RecordView) -> str:
    return "".join(
        f"{record.name}\n{record.type}\n{value}\n\n" for value in record.values
    )  # fmt: skip


@customer_page
@require_GET
def zone_file(request: PanelRequest, name: str) -> HttpResponse:
    """All records as lines of a zone file (RFC 1035, 5.1)."""
    domain = _domain(request, name)
    answer = _text(dnsview.zone_file(domain))
    answer["Content-Disposition"] = f'attachment; filename="{domain.name}.zone"'
    return answer


def _text(text: str) -> HttpResponse:
    return HttpResponse(text, content_type="text/plain; charset=utf-8")


@customer_page
@require_POST
def make_link(request: PanelRequest, name: str) -> HttpResponse:
    """A link for a technician: shows this page without a log-in, changes nothing, expires."""
    domain = access.get_domain(request.actor, name)
    token = signing.dumps([str(domain.uid), str(domain.account.uid)], salt=_SALT)
    path = reverse("technician", args=[token])
    request.session["technician_link"] = f"{settings.PUBLIC_URL}{path}"
    return redirect(f"{reverse('domain_dns', args=[name])}#technician")


@never_cache
@require_GET
def technician(request: HttpRequest, token: str) -> HttpResponse:
    """What a link of `make_link` shows. It ends with the domain's account, and after 14 days."""
    try:
        uid, account_uid = signing.loads(token, salt=_SALT, max_age=LINK_LIFETIME)
    except (signing.BadSignature, ValueError) as error:
        raise Http404 from error
    domain = (
        Domain.objects.living()
        .select_related("zone", "host", "account")
        .filter(uid=uid, account__uid=account_uid)
        .first()
    )
    if domain is None:
        raise Http404
    answer = render(request, "panel/dns/technician.html", _facts(domain, request))
    answer["Referrer-Policy"] = "no-referrer"
    answer["X-Robots-Tag"] = "noindex"
    return answer


# --- keys and policy ----------------------------------------------------------------------------


@customer_page
@require_POST
def rotate(request: PanelRequest, name: str) -> HttpResponse:
    domain = _domain(request, name)
    if request.POST.get("compromised"):
        reason = request.POST.get("reason", "")
        return _do(
            request, domain, lambda: dkim.compromise(domain, reason=reason, by=request.actor),
            _("The old keys are void. Enter the new records: until then mail goes out unsigned."),
        )  # fmt: skip
    return _do(
        request,
        domain,
        lambda: dkim.rotate(domain, by=request.actor),
        _("New keys are made. Enter their records; they sign as soon as all servers show them."),
    )


@customer_page
@require_POST
def set_sts(request: PanelRequest, name: str) -> HttpResponse:
    domain = _domain(request, name)
    chosen = request.POST.get("mode", "")
    if chosen not in (StsMode.OFF, StsMode.TESTING, StsMode.ENFORCE):
        return redirect("domain_dns", name=name)
    return _do(
        request,
        domain,
        lambda: sts.set_mode(domain, StsMode(chosen), by=request.actor),
        _("The policy is changed. Enter the new record, for its number follows the policy."),
    )


def _do(
    request: PanelRequest, domain: Domain, verb: Callable[[], object], done: str
) -> HttpResponse:
    try:
        verb()
    except MailAdminError as error:
        messages.error(request, error.for_user())
    else:
        messages.success(request, done)
    return redirect("domain_dns", name=domain.name)
