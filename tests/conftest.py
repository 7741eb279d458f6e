"""Settings for tests that need no server, and the people that they know."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(autouse=True)
def _quick(settings, monkeypatch, request):
    """Cheap hashes, mail in memory, and no doorbell: who wants a push calls it."""
    if "live" in request.keywords:
        return
    settings.PASSWORD_COSTS = {"memory_cost": 64, "time_cost": 1}
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }
    settings.ALLOW_SPECIAL_USE_DOMAINS = True
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}


@pytest.fixture(scope="session")
def django_db_modify_db_settings(tmp_path_factory):
    """SQLite in a file, as in a trial: only there do threads meet as they do in life."""
    from django.db import connection

    if connection.vendor == "sqlite":
        folder = tmp_path_factory.mktemp("database")
        connection.settings_dict["TEST"]["NAME"] = str(folder / "test.sqlite3")


def pytest_collection_modifyitems(items):
    """Tests of the browser last: Playwright keeps an event loop running in this thread.

    Whatever runs after them could not open a loop of its own.
    """
    items.sort(key=lambda item: "browser" in getattr(item, "fixturenames", ()))


@pytest.fixture(scope="session", autouse=True)
def _languages():
    """The compiled German that pages show."""
    import subprocess

    folder = Path(__file__).resolve().parent.parent / "locale/de/LC_MESSAGES"
    text, made = folder / "django.po", folder / "django.mo"
    if not made.exists() or made.stat().st_mtime < text.stat().st_mtime:
        subprocess.run(["msgfmt", "-o", made, text], check=True)
