"""Passwords, sealed secrets, loops."""

from __future__ import annotations

import pytest
from cryptography.fernet import Fernet, InvalidToken

from mailadmin import crypto, loops, passwords
from mailadmin.errors import WeakPassword


def test_hash_is_argon2id_with_the_costs_that_dovecot_bears(settings) -> None:
    settings.PASSWORD_COSTS = {}
    hashed = passwords.hash_password("blau-Segel-27-Ofen")
    assert hashed.startswith("{ARGON2ID}$argon2id$v=19$m=19456,t=2,p=1$")
    assert passwords.verify_password("blau-Segel-27-Ofen", hashed)
    assert not passwords.verify_password("blau-segel-27-Ofen", hashed)


@pytest.mark.parametrize(
    "hashed",
    ["{PLAIN}secret-secret", "{BOGUS}x", "secret", ""],
)
def test_case_085_unknown_schemes_verify_nothing(hashed: str) -> None:
    assert not passwords.verify_password("secret-secret", hashed)


@pytest.mark.parametrize(
    ("password", "reason"),
    [
        ("kurz", "too_short"), ("x" * 9, "too_short"), ("ü" * 65, "too_long"), ("a\0bcdefghijk", "control"),
        ("a\nbcdefghijk", "control"), ("Passwort123", "common"), ("qwertzuiop", "common"),
        ("aaaaaaaaaaaa", "common"), ("Sommer2026!"[:-1], "common"), ("info@example.test", "like_address"),
    ],
)  # fmt: skip
def test_weak_passwords_are_refused(password: str, reason: str) -> None:
    with pytest.raises(WeakPassword) as refused:
        passwords.check_strength(password, address="info@example.test")
    assert refused.value.reason == reason and refused.value.for_user()


@pytest.mark.parametrize("language", ["de", "en"])
def test_suggestions_are_strong_and_differ(language: str) -> None:
    made = {passwords.suggest_passphrase(language) for _ in range(20)}
    assert len(made) == 20
    for each in made:
        passwords.check_strength(each)


def test_sealed_secret_opens_with_the_old_key_after_rotation(settings) -> None:
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    settings.FIELD_KEYS = [old]
    sealed = crypto.seal(b"key")
    assert b"key" not in sealed.encode()
    settings.FIELD_KEYS = [new, old]
    again = crypto.reseal(sealed)
    settings.FIELD_KEYS = [new]
    assert crypto.unseal(again) == b"key"
    with pytest.raises(InvalidToken):
        crypto.unseal(sealed)


GRAPH = {"b@x": ["c@x"], "c@x": ["a@x"], "d@x": ["e@x", "out@y"], "keeps@x": ["keeps@x", "b@x"]}


@pytest.mark.parametrize(
    ("start", "targets", "chain"),
    [
        ("a@x", ["a@x"], ["a@x", "a@x"]),
        ("a@x", ["b@x"], ["a@x", "b@x", "c@x", "a@x"]),
        ("a@x", ["a+tag@x"], ["a@x", "a@x"]),
        ("a@x", ["d@x"], []),
        ("a@x", ["keeps@x"], ["a@x", "keeps@x", "b@x", "c@x", "a@x"]),
        ("z@x", ["out@y", "d@x"], []),
    ],
)
def test_case_045_loops_are_found_and_shown(
    start: str, targets: list[str], chain: list[str]
) -> None:
    assert loops.find_loop(start, targets, lambda email: GRAPH.get(email, [])) == chain
