"""Secrets at rest: sealed with the first of `FIELD_KEYS`, opened with any of them."""

from __future__ import annotations

from cryptography.fernet import Fernet, MultiFernet
from django.conf import settings


def _fernet() -> MultiFernet:
    return MultiFernet([Fernet(key) for key in settings.FIELD_KEYS])


def seal(secret: bytes) -> str:
    return _fernet().encrypt(secret).decode("ascii")


def unseal(sealed: str) -> bytes:
    """Raises cryptography.fernet.InvalidToken when no key fits."""
    return _fernet().decrypt(sealed.encode())


def reseal(sealed: str) -> str:
    """Seal again with the first key: the step of a key's rotation."""
    return _fernet().rotate(sealed.encode()).decode("ascii")
