"""Passwords of mailboxes and users: hashing (libpass), strength, suggestions."""

from __future__ import annotations

import re
import secrets
import unicodedata
from functools import cache
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from passlib.hash import argon2, bcrypt, sha512_crypt

from mailadmin import guesses
from mailadmin.errors import WeakPassword

MIN_CHARACTERS = 10
# Dovecot and the hash functions take more, but nobody types it.
MAX_BYTES = 128
# What Dovecot verifies in 49 ms and 19 MiB; its own default needs 256 MiB and fails.
ARGON2 = {"memory_cost": 19_456, "time_cost": 2, "parallelism": 1}

_SCHEMES: dict[str, Any] = {
    "{ARGON2ID}": argon2,
    "{SHA512-CRYPT}": sha512_crypt,
    "{BLF-CRYPT}": bcrypt,
}
# Hashes that come from elsewhere: whole, and with the costs as groups.
_IMPORTABLE = {
    "{ARGON2ID}": re.compile(
        r"\$argon2id\$v=19\$m=([1-9]\d{0,5}),t=([1-9]\d?),p=([1-9])"
        r"\$[A-Za-z0-9+/]{11,64}\$[A-Za-z0-9+/]{22,86}"
    ),
    "{SHA512-CRYPT}": re.compile(
        r"\$6\$(?:rounds=([1-9]\d{3,6})\$)?[A-Za-z0-9./]{8,16}\$[A-Za-z0-9./]{86}"
    ),
    "{BLF-CRYPT}": re.compile(r"\$2[aby]\$(\d\d)\$[A-Za-z0-9./]{53}"),
}


def hash_password(password: str) -> str:
    """Return the hash with Dovecot's scheme in front: {ARGON2ID}$argon2id$…; takes 30 ms.

    What looks like a hash or a scheme is hashed like any other password.
    """
    costs = {**ARGON2, **getattr(settings, "PASSWORD_COSTS", {})}
    return "{ARGON2ID}" + str(argon2.using(type="ID", **costs).hash(password))


def verify_password(password: str, hashed: str) -> bool:
    """Compare with a hash of any scheme that we keep; False for one that is unknown or broken."""
    scheme, brace, digest = hashed.partition("}")
    hasher = _SCHEMES.get(scheme + brace)
    if hasher is None or len(password) > 4 * MAX_BYTES:
        return False
    try:
        return bool(hasher.verify(password, digest))
    except ValueError:  # a broken hash, a NUL, or more than the 72 bytes that bcrypt looks at
        return False


def is_importable(hashed: str) -> bool:
    """Whether a given hash may become a mailbox's: a scheme we keep, at costs the host bears.

    The floors are the defaults of old mail servers; its owner's next change brings ours.
    The caps keep one log-in from taking the memory or the seconds of all others.
    """
    scheme, brace, digest = hashed.partition("}")
    pattern = _IMPORTABLE.get(scheme + brace)
    found = pattern.fullmatch(digest) if pattern else None
    if found is None:
        return False
    costs = [int(cost or 5000) for cost in found.groups()]
    if scheme == "{ARGON2ID":
        memory_kib, passes, lanes = costs
        return 4096 <= memory_kib <= 65_536 and passes <= 10 and lanes <= 4
    if scheme == "{SHA512-CRYPT":
        return 5000 <= costs[0] <= 1_000_000
    return 5 <= costs[0] <= 12


def check_strength(password: str, *, address: str = "") -> None:
    """Raises WeakPassword. No rules about kinds of characters: NIST SP 800-63B, 5.1.1.

    `address` is the owner's, in canonical form.
    """
    # Also lone surrogates, which no client can send, and the line separators of Unicode.
    if any(unicodedata.category(char) in {"Cc", "Cs", "Zl", "Zp"} for char in password):
        raise WeakPassword(reason="control")
    if len(password) < MIN_CHARACTERS:
        raise WeakPassword(reason="too_short")
    if len(password.encode()) > MAX_BYTES:
        raise WeakPassword(reason="too_long")
    lowered = unicodedata.normalize("NFKC", password).lower()
    local_part, _at, domain = address.lower().partition("@")
    own_names = {local_part, domain, domain.partition(".")[0], f"{local_part}@{domain}"} - {""}
    if own_names & set(guesses.stems(lowered)):
        raise WeakPassword(reason="like_address")
    if guesses.is_easy(lowered):
        raise WeakPassword(reason="common")


@cache
def _words(language: str) -> list[str]:
    name = "words_de.txt" if language.startswith("de") else "words_en.txt"
    return (guesses.DATA / name).read_text(encoding="utf-8").split()


def suggest_passphrase(language: str) -> str:
    """Return four words and a number, such as blau-Segel-427-Ofen-Markt.

    At least 51 bits: four times 10.3 for the words, 9.8 for the number, 1.6 for its place.
    """
    words = [secrets.choice(_words(language)) for _number in range(4)]
    words.insert(secrets.choice([1, 2, 3]), str(secrets.randbelow(900) + 100))
    return "-".join(words)


class StrengthValidator:
    """The same rules for people who log in to the panel."""

    def validate(self, password: str, user: Any = None) -> None:
        try:
            check_strength(password, address=getattr(user, "email", "") or "")
        except WeakPassword as error:
            raise ValidationError(error.for_user(), code=error.reason) from error

    def get_help_text(self) -> str:
        return WeakPassword(reason="too_short").for_user()
