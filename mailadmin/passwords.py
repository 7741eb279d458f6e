"""Passwords of mailboxes and users: hashing (libpass), strength, suggestions."""

from __future__ import annotations

import secrets
import unicodedata
from functools import cache
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from passlib.hash import argon2, bcrypt, sha512_crypt

from mailadmin.errors import WeakPassword

MIN_CHARACTERS = 10
# Dovecot and the hash functions take more, but nobody types it.
MAX_BYTES = 128
# What Dovecot verifies in 49 ms and 19 MiB; its own default needs 256 MiB and fails.
ARGON2 = {"memory_cost": 19_456, "time_cost": 2, "parallelism": 1}

_DATA = Path(__file__).parent / "data"
_SCHEMES: dict[str, Any] = {
    "{ARGON2ID}": argon2,
    "{SHA512-CRYPT}": sha512_crypt,
    "{BLF-CRYPT}": bcrypt,
}


def hash_password(password: str) -> str:
    """Return the hash with Dovecot's scheme in front: {ARGON2ID}$argon2id$…"""
    costs = {**ARGON2, **getattr(settings, "PASSWORD_COSTS", {})}
    return "{ARGON2ID}" + str(argon2.using(type="ID", **costs).hash(password))


def verify_password(password: str, hashed: str) -> bool:
    """Compare with a hash of any scheme that we keep; False for an unknown one."""
    scheme, brace, digest = hashed.partition("}")
    hasher = _SCHEMES.get(scheme + brace)
    return hasher is not None and "\0" not in password and bool(hasher.verify(password, digest))


def check_strength(password: str, *, address: str = "") -> None:
    """Raises WeakPassword. No rules about kinds of characters: NIST SP 800-63B, 5.1.1."""
    if any(unicodedata.category(char) == "Cc" for char in password):
        raise WeakPassword(reason="control")
    if len(password) < MIN_CHARACTERS:
        raise WeakPassword(reason="too_short")
    if len(password.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise WeakPassword(reason="too_long")
    lowered = password.lower()
    if address and lowered in (address.lower(), address.partition("@")[0].lower()):
        raise WeakPassword(reason="like_address")
    if lowered in common_passwords() or len(set(lowered)) < 4:
        raise WeakPassword(reason="common")


@cache
def common_passwords() -> frozenset[str]:
    """Those that attackers try first, in lower case: listed bases and what people make of them."""
    listed = (_DATA / "common_passwords.txt").read_text(encoding="utf-8").split()
    endings = ("", "1", "12", "123", "1234", "12345", "123456", "!", "1!", "123!", "01", "007")
    years = tuple(str(year) for year in range(1960, 2031))
    return frozenset(
        candidate
        for base in listed
        for candidate in (*(base + end for end in (*endings, *years)), base + base)
        if len(candidate) >= MIN_CHARACTERS
    )


@cache
def _words(language: str) -> list[str]:
    name = "words_de.txt" if language.startswith("de") else "words_en.txt"
    return (_DATA / name).read_text(encoding="utf-8").split()


def suggest_passphrase(language: str) -> str:
    """Return four words and a number, such as blau-Segel-27-Ofen-Markt: about 48 bits."""
    words = _words(language)
    picked = [secrets.choice(words) for _number in range(4)]
    picked.insert(2, str(secrets.randbelow(90) + 10))
    return "-".join(picked)


class StrengthValidator:
    """The same rules for people who log in to the panel."""

    def validate(self, password: str, user: Any = None) -> None:
        try:
            check_strength(password, address=getattr(user, "email", "") or "")
        except WeakPassword as error:
            raise ValidationError(error.for_user(), code=error.reason) from error

    def get_help_text(self) -> str:
        return WeakPassword(reason="too_short").for_user()
