"""System checks: wrong combinations of settings are found at start, each with its id."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register  # noqa: A004


@register(Tags.security)
def check_settings(**kwargs: Any) -> list[CheckMessage]:
    found: list[CheckMessage] = []
    if settings.TRIAL:
        return found
    if not settings.PUBLIC_URL.startswith("https://"):
        found.append(
            Error(
                "POSTKONTOR_PUBLIC_URL must start with https:// outside trial mode.",
                id="panel.E001",
            )
        )
    if settings.DATABASES["default"]["ENGINE"].endswith("sqlite3"):
        found.append(
            Warning(
                "SQLite serves one machine; use PostgreSQL in production (DATABASE_URL).",
                id="panel.W001",
            )
        )
    if settings.DEBUG:
        found.append(Error("DEBUG shows secrets; switch it off.", id="panel.E002"))
    if settings.ALLOW_SPECIAL_USE_DOMAINS:
        found.append(
            Error(
                "POSTKONTOR_ALLOW_SPECIAL_USE_DOMAINS is for trials: .test is nobody's.",
                id="panel.E003",
            )
        )
    if settings.DNS_PRIVATE_ADDRESSES:
        found.append(
            Error(
                "POSTKONTOR_DNS_PRIVATE_ADDRESSES is for trials: a customer's zone could name "
                "servers of your own network.",
                id="panel.E004",
            )
        )
    return found
