"""The operator's admin: Django's own, entered through the panel's log-in."""

from __future__ import annotations

from typing import Any

from django.contrib.admin import AdminSite
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseForbidden
from django.urls import reverse
from django.utils.translation import gettext_lazy as _


class PanelAdminSite(AdminSite):
    site_header = "Postkontor"
    site_title = "Postkontor"
    index_title = _("Operation")
    enable_nav_sidebar = True

    def has_permission(self, request: HttpRequest) -> bool:
        user = request.user
        return bool(user.is_active and getattr(user, "is_superuser", False))

    def login(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """One log-in for all doors: its throttles and factors hold here too."""
        if request.user.is_authenticated and not self.has_permission(request):
            return HttpResponseForbidden()
        return redirect_to_login(request.get_full_path(), reverse("account_login"))
