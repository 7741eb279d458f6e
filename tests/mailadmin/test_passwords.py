from __future__ import annotations

import math
import re
from types import SimpleNamespace

import pytest
from django.core.exceptions import ValidationError
from hypothesis import given
from hypothesis import strategies as st

from mailadmin import guesses, passwords
from mailadmin.errors import WeakPassword

# Made by OpenSSL (of "Hello world!") and by the reference implementation (of "password").
SHA512 = (
    "{SHA512-CRYPT}$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817"
    "G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1"
)
ARGON2ID = (
    "{ARGON2ID}$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ"
    "$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
)
BCRYPT = "{BLF-CRYPT}$2b$10$abcdefghijklmnopqrstuu5Lo0g67CiD3M4RpN1BmBb4Crp5w7dbK"


def refusal(password: str, address: str = "info@example.test") -> str:
    """The reason, or empty for a password that is taken."""
    try:
        passwords.check_strength(password, address=address)
    except WeakPassword as error:
        assert error.for_user()
        # The password itself is no fact: it would reach the logs.
        assert str(error) == f"WeakPassword(reason='{error.reason}')"
        return error.reason
    return ""


# --- hashes -------------------------------------------------------------------------------------


def test_hashes_of_one_password_differ_and_both_verify() -> None:
    one, other = passwords.hash_password("blau-Segel-27"), passwords.hash_password("blau-Segel-27")
    assert one != other
    assert passwords.verify_password("blau-Segel-27", one)
    assert passwords.verify_password("blau-Segel-27", other)


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=64))
def test_any_password_verifies_against_its_own_hash_only(password: str) -> None:
    hashed = passwords.hash_password(password)
    assert passwords.verify_password(password, hashed)
    assert not passwords.verify_password(f"{password}x", hashed)


@pytest.mark.parametrize("typed", ["{PLAIN}x", "{ARGON2ID}$argon2id$x", SHA512, "%u", "$1$x"])
def test_case_029_what_looks_like_a_hash_is_hashed(typed: str) -> None:
    hashed = passwords.hash_password(typed)
    assert re.fullmatch(r"\{ARGON2ID\}\$argon2id\$v=19\$m=\d+,t=\d+,p=1\$\S+", hashed)
    assert passwords.verify_password(typed, hashed)


@pytest.mark.parametrize(("hashed", "password"), [(SHA512, "Hello world!"), (ARGON2ID, "password")])
def test_imported_hashes_stay_verifiable(hashed: str, password: str) -> None:
    assert passwords.verify_password(password, hashed)
    assert not passwords.verify_password(password.upper(), hashed)


@pytest.mark.parametrize(
    "hashed",
    [
        "", "x", "{", "}", "{}", "{PLAIN}password", "{CLEARTEXT}password", "{MD5}x", "{argon2id}x",
        "{ARGON2ID}", "{ARGON2ID}password", "{SHA512-CRYPT}$6$", ARGON2ID[:-5], SHA512 + "x",
        ARGON2ID.removeprefix("{ARGON2ID}"),
    ],
)  # fmt: skip
def test_case_085_broken_and_unknown_hashes_verify_nothing(hashed: str) -> None:
    assert not passwords.verify_password("password", hashed)


@pytest.mark.parametrize("password", ["password\0", "\ud800", "x" * 100_000])
def test_case_085_impossible_passwords_verify_nothing(password: str) -> None:
    assert not passwords.verify_password(password, ARGON2ID)
    assert not passwords.verify_password(password, SHA512)


@pytest.mark.parametrize(
    "hashed", [ARGON2ID, SHA512, BCRYPT, SHA512.replace("$6$", "$6$rounds=656000$")]
)
def test_hashes_of_three_schemes_can_be_imported(hashed: str) -> None:
    assert passwords.is_importable(hashed)


def test_own_hashes_can_be_imported(settings) -> None:
    settings.PASSWORD_COSTS = {}
    assert passwords.is_importable(passwords.hash_password("blau-Segel-27"))


@pytest.mark.parametrize(
    "hashed",
    [
        "",
        "{PLAIN}password",
        "{CLEARTEXT}password",
        "{SHA256-CRYPT}$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc8",
        "{CRYPT}$1$xxxxxxxx$UQmKxLcW8WnHhdTEs7Qk61",
        ARGON2ID.removeprefix("{ARGON2ID}"),
        ARGON2ID.replace("argon2id", "argon2d"),
        ARGON2ID.replace("m=65536", "m=1048576"),
        ARGON2ID.replace("m=65536", "m=65537"),
        ARGON2ID.replace("m=65536", "m=8"),
        ARGON2ID.replace("t=2", "t=99"),
        ARGON2ID.replace("v=19", "v=16"),
        SHA512.replace("$6$", "$6$rounds=1000$"),
        SHA512.replace("$6$", "$6$rounds=9999999$"),
        SHA512.replace("$6$", "$5$"),
        BCRYPT.replace("$10$", "$04$"),
        BCRYPT.replace("$10$", "$31$"),
        f"{SHA512}\n",
        f"{SHA512}:userdb_uid=0",
        f"{SHA512} %u",
    ],
)
def test_case_085_hashes_below_the_floor_or_above_the_host_are_refused(hashed: str) -> None:
    assert not passwords.is_importable(hashed)


# --- strength -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "password",
    [
        "blau-Segel-27-Ofen", "correct horse lamp oak", "x7Kq9vLm2P", "Meine Oma fährt Rad",
        "SonneMondSterne", "wurzelgemuese", "пароль-из-слов", "密码应该很长一些吧啊",
        "👩‍🚀-fliegt-weit", "{PLAIN}geh weg", "  zwei  Räume  ", "aaaa8Zk-qW3-pL9",
    ],
)  # fmt: skip
def test_long_and_unusual_is_enough(password: str) -> None:
    assert refusal(password) == ""


def test_ten_characters_and_128_bytes_are_the_ends() -> None:
    assert refusal("x7Kq9vLm2") == "too_short"
    assert refusal("x7Kq9vLm2P") == ""
    assert refusal("äöü-äöü-äöü") == ""
    long = "".join(f"{number:x}zqk" for number in range(16)) * 2
    assert len(long) == 128
    assert refusal(long[:-1] + "!") == ""
    assert refusal(long + "!") == "too_long"
    assert refusal("ü" + long[:-1]) == "too_long"


@pytest.mark.parametrize(
    "char", ["\0", "\n", "\r", "\t", "\x1b", "\x7f", "\x85", "\u2028", "\ud800"]
)
def test_case_027_passwords_take_no_control_characters(char: str) -> None:
    assert refusal(f"blau-Segel{char}-27-Ofen") == "control"


@pytest.mark.parametrize(
    "password",
    [
        "1234567890", "0987654321", "qwertzuiop", "qwertyuiop", "asdfghjklö", "1q2w3e4r5t",
        "abcdefghij", "qwertz12345", "qwertyasdfgh", "1qay2wsx3edc", "aaaaaaaaaa", "1111111112",
        "password123", "PASSWORD123", "P@ssw0rd2024!", "passwordpassword", "hunter2hunter2",
        "iloveyou!!", "Passwort123", "Willkommen1", "Sommer2026", "Frühling2024!", "ichliebedich",
        "fcbayern1900", "schalke04!", "Schatz!2020", "lukas2010!", "München#1860", "Geheim!2345",
        "admin@1234", "Change-Me-1", "abc1abc1abc1", "correcthorsebatterystaple",
        "ｐａｓｓｗｏｒｄ１２",
    ],
)  # fmt: skip
def test_case_085_what_attackers_try_first_is_refused(password: str) -> None:
    assert refusal(password) == "common"


@pytest.mark.parametrize(
    "password",
    [
        "info@example.test", "INFO@Example.Test", "info@example.test1", "example.test",
        "info123456", "123456info", "Example2026",
    ],
)  # fmt: skip
def test_case_085_password_made_of_the_address_is_refused(password: str) -> None:
    assert refusal(password) == "like_address"


def test_password_of_one_may_be_the_address_of_another() -> None:
    assert refusal("verwaltung-nord", address="verwaltung-nord@example.test") == "like_address"
    assert refusal("verwaltung-nord") == ""
    assert refusal("verwaltung-nord", address="") == ""


@given(st.text(max_size=140))
def test_every_text_is_either_taken_or_refused_with_a_sentence(password: str) -> None:
    if refusal(password) == "":
        passwords.hash_password(password)


def test_list_knows_thousands_and_is_folded() -> None:
    own = (guesses.DATA / "common_passwords.txt").read_text(encoding="utf-8").split()
    assert len(own) == len(set(own)) > 1500
    assert all(entry.isascii() and entry == entry.lower() for entry in own)
    assert len(guesses.listed()) > 20_000


def test_checking_the_longest_password_is_quick() -> None:
    for hostile in ("a1b2" * 32, "qwe" + "x1y" * 41, "1" * 64 + "a" * 64, "qwertz" * 21):
        for _again in range(100):
            refusal(hostile)


# --- suggestions --------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["de", "en", "de-at", "fr"])
def test_suggestions_are_taken_and_easy_to_type(language: str) -> None:
    made = {passwords.suggest_passphrase(language) for _number in range(200)}
    assert len(made) == 200
    for each in made:
        assert refusal(each) == ""
        assert re.fullmatch(r"[A-Za-z0-9]+(-[A-Za-z0-9]+){4}", each)
        assert len(each) <= 43


@pytest.mark.parametrize("language", ["de", "en"])
def test_suggestions_have_at_least_50_bits(language: str) -> None:
    words = (guesses.DATA / f"words_{language}.txt").read_text(encoding="utf-8").split()
    assert len({word.lower() for word in words}) == len(words)
    assert all(re.fullmatch(r"[A-Za-z]{3,9}", word) for word in words)
    assert 4 * math.log2(len(words)) + math.log2(900) + math.log2(3) > 50


# --- people who log in to the panel -------------------------------------------------------------


def test_people_of_the_panel_meet_the_same_rules() -> None:
    validator = passwords.StrengthValidator()
    person = SimpleNamespace(email="alice@example.test")
    validator.validate("blau-Segel-27-Ofen", person)
    with pytest.raises(ValidationError) as caught:
        validator.validate("Alice@example.test", person)
    assert caught.value.code == "like_address"
    with pytest.raises(ValidationError):
        validator.validate("kurz")
    assert "10" in validator.get_help_text()
