"""How django-allauth meets our house rules."""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from mailadmin.models import User


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    """Nobody signs up by himself; links in mails come from the setting, never from the request."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def pre_login(self, request: HttpRequest, user: User, **kwargs: Any) -> HttpResponse | None:
        """Log-ins that a trial made are refused anywhere else."""
        if user.is_demo and not settings.TRIAL:
            return redirect("account_inactive")
        answer: HttpResponse | None = super().pre_login(request, user, **kwargs)
        return answer

    def get_reset_password_from_key_url(self, key: str) -> str:
        path = str(super().get_reset_password_from_key_url(key)).split("/", 3)[3]
        return f"{settings.PUBLIC_URL}/{path}"

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        super().send_mail(template_prefix, email, {**context, "public_url": settings.PUBLIC_URL})
