"""The customer reads the record of his own account."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from mailadmin import access
from panel.doors import customer_page
from panel.pages import paging
from panel.request import PanelRequest


@customer_page
@require_GET
def show_all(request: PanelRequest) -> HttpResponse:
    events = access.audit_for(request.actor)
    return render(
        request,
        "panel/audit/list.html",
        {"page": paging.newest_first(events, request.GET.get("before", ""))},
    )
