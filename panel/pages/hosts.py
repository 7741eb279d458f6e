"""The operator's page of a mail host: what it needs in the world, and what to do about it."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from mailadmin import access
from mailadmin.errors import BadAccess
from mailadmin.models import MailHost
from mailadmin.services import readiness
from maildns.errors import DnsError
from maildns.readiness.report import Item, State, worst
from panel.doors import operator_page
from panel.forms.publishing import ReverseForm
from panel.readywords import ptr_letter
from panel.recordwords import provider_fault
from panel.request import PanelRequest


@operator_page
@require_GET
def show(request: PanelRequest, uid: uuid.UUID) -> HttpResponse:
    host = access.get_host(request.actor, uid)
    if host.readiness_at is None and not host.is_being_checked:
        readiness.ask_for_check(host, by=request.actor)
        host.refresh_from_db()
    return render(request, "panel/hosts/show.html", _facts(request, host))


@operator_page
@require_GET
def part(request: PanelRequest, uid: uuid.UUID) -> HttpResponse:
    host = access.get_host(request.actor, uid)
    return render(request, "panel/hosts/show.html#readiness", _facts(request, host))


def _facts(request: PanelRequest, host: MailHost) -> dict[str, object]:
    try:
        asked = min(max(int(request.GET.get("n", "0")), 0), 60)
    except ValueError:
        asked = 0
    report = readiness.report_of(host)
    ptrs = [
        (record, readiness.access_for(address), ptr_letter(record, address))
        for record, address in zip(readiness.wanted_ptrs(host), host.addresses, strict=True)
    ]
    return {
        "host": host,
        "report": report,
        "groups": _grouped(report.items) if report else [],
        "records": readiness.provider_records(host),
        "ptrs": ptrs,
        "may_write_ptr": any(access for _record, access, _letter in ptrs),
        "asked": asked + 1,
    }


def _grouped(items: tuple[Item, ...]) -> list[tuple[str, State, list[Item]]]:
    """Items of one check together, with the worst of their states."""
    groups: dict[str, list[Item]] = {}
    for item in items:
        groups.setdefault(item.check, []).append(item)
    return [(check, worst(tuple(found)), found) for check, found in groups.items()]


@operator_page
@require_POST
def check(request: PanelRequest, uid: uuid.UUID) -> HttpResponse:
    readiness.ask_for_check(access.get_host(request.actor, uid), by=request.actor)
    return redirect("host", uid=uid)


@operator_page
@require_POST
def publish_ptr(request: PanelRequest, uid: uuid.UUID) -> HttpResponse:
    host = access.get_host(request.actor, uid)
    for outcome in readiness.publish_ptrs(host, by=request.actor):
        if isinstance(outcome, DnsError):
            messages.error(request, provider_fault(getattr(outcome, "reason", "failed"), ""))
        elif failed := next((each for each in outcome.results if each.reason), None):
            messages.error(request, provider_fault(failed.reason, failed.fact))
        else:
            messages.success(request, _("The PTR record is written and read back."))
    return redirect("host", uid=uid)


@operator_page
@require_http_methods(["GET", "POST"])
def reverse_access(request: PanelRequest, uid: uuid.UUID) -> HttpResponse:
    """How a reverse zone of the host's addresses is written."""
    host = access.get_host(request.actor, uid)
    form = ReverseForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            readiness.save_reverse_access(
                form.cleaned_data["zone"], form.options(), form.secrets()["secret"],
                by=request.actor,
            )  # fmt: skip
        except BadAccess as error:
            form.add_error(error.option if error.option in form.fields else None, error.for_user())
        else:
            messages.success(request, _("The access is saved."))
            return redirect("host", uid=uid)
    code = 422 if request.method == "POST" else 200
    return render(request, "panel/hosts/reverse.html", {"host": host, "form": form}, status=code)
