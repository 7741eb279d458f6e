from __future__ import annotations

import pytest
from cryptography.fernet import Fernet, InvalidToken
from hypothesis import given
from hypothesis import strategies as st

from mailadmin import crypto


@given(st.binary(max_size=5000))
def test_sealed_secret_opens_again(secret: bytes) -> None:
    sealed = crypto.seal(secret)
    assert sealed.isascii()
    assert crypto.unseal(sealed) == secret


def test_sealed_secret_shows_nothing_and_is_never_the_same() -> None:
    one, other = (
        crypto.seal(b"-----BEGIN PRIVATE KEY-----"),
        crypto.seal(b"-----BEGIN PRIVATE KEY-----"),
    )
    assert one != other
    assert "PRIVATE" not in one


def test_first_key_seals_and_all_keys_open(settings) -> None:
    first, second = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    settings.FIELD_KEYS = [second]
    old = crypto.seal(b"x")
    settings.FIELD_KEYS = [first, second]
    assert crypto.unseal(old) == b"x"
    new = crypto.seal(b"y")
    settings.FIELD_KEYS = [first]
    assert crypto.unseal(new) == b"y"
    with pytest.raises(InvalidToken):
        crypto.unseal(old)


def test_resealing_moves_a_secret_to_the_first_key(settings) -> None:
    first, second = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    settings.FIELD_KEYS = [second]
    sealed = crypto.seal(b"x")
    settings.FIELD_KEYS = [first, second]
    resealed = crypto.reseal(sealed)
    settings.FIELD_KEYS = [first]
    assert crypto.unseal(resealed) == b"x"


@pytest.mark.parametrize(
    "damage", ["", "x", "gAAAAA", "\N{LATIN SMALL LETTER U WITH DIAERESIS}", "\0"]
)
def test_what_was_not_sealed_by_us_does_not_open(damage: str) -> None:
    with pytest.raises(InvalidToken):
        crypto.unseal(damage)


def test_changed_secret_does_not_open() -> None:
    sealed = crypto.seal(b"x" * 100)
    middle = len(sealed) // 2
    other = "A" if sealed[middle] != "A" else "B"
    with pytest.raises(InvalidToken):
        crypto.unseal(sealed[:middle] + other + sealed[middle + 1 :])
