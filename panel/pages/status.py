"""Live parts of pages: how far a change has come. And the address that a watchdog asks."""

from __future__ import annotations

import uuid

from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from mailadmin import access
from mailadmin.services import status
from panel.doors import customer_page
from panel.request import PanelRequest


@customer_page
@require_GET
def of_address(request: PanelRequest, uid: uuid.UUID) -> HttpResponse:
    address = access.get_address(request.actor, uid)
    return _answer(request, status.of(address), request.path)


@customer_page
@require_GET
def of_domain(request: PanelRequest, name: str) -> HttpResponse:
    domain = access.get_domain(request.actor, name)
    return _answer(request, status.of(domain), request.path)


def _answer(request: PanelRequest, change: status.ChangeStatus, url: str) -> HttpResponse:
    """One line or the rail; the fragment asks again, ever slower, until the change is settled."""
    try:
        asked = min(max(int(request.GET.get("n", "0")), 0), 60)
    except ValueError:
        asked = 0
    form = "rail" if request.GET.get("as") == "rail" else "line"
    return render(
        request,
        f"components/status.html#{form}",
        {"change": change, "status_url": url, "asked": asked + 1},
    )


@require_GET
def healthz(request: HttpRequest) -> HttpResponse:
    """200 while the panel can read its database."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return JsonResponse({"ok": True})
