"""Every code of a readiness check has a sentence of its own."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from maildns import ptr, readiness, tlsa
from maildns.readiness.report import Check, Item, State
from panel import readywords

FOLDER = Path(readiness.__file__).parent
# Where the codes of a check are made: files, and what stands around a code there.
SOURCES = {

    Check.HOST_NAME: ("addresses.py", r'HOST_NAME, "", State\.\w+, "(\w+)"'),
    Check.BLOCK_LISTS: ("blocklists.py", r'fault="(\w+)"'),
    Check.SPF: ("records.py", r'State\.\w+, "((?:helo|include)_\w+)"'),
    Check.DKIM: ("records.py", r'return "(\w+)"'),
    Check.PORT_25: ("reach.py", r'PORT_25, (?:"",|address,) State\.\w+, "(\w+)"|return State\.\w+, "(open|not_here|no_banner)"'),
    Check.CLOCK: ("reach.py", r'CLOCK, "", State\.\w+, "(\w+)"|return State\.\w+, "(wrong|off|right)"'),
    Check.CERTIFICATE: ("tls.py", r'CERTIFICATE, address, State\.\w+, "(\w+)"|state, code = State\.\w+, "(\w+)"'),
    Check.TLSA: ("tls.py", r'TLSA, (?:"",|address,) State\.\w+, "(\w+)"'),
}  # fmt: skip
ALSO = {
    Check.STATIC_ADDRESS: {"private", "private_trial", "generic_name", "policy_listed", "lists_silent"},
    Check.HOST_NAME: {
        f"{which}_{code}" for which in ("name", "helo") for code in ("address", "local", "not_full", "bad_name")
    } | {"resolves", "alias", "no_address", "other_address"},
    Check.BLOCK_LISTS: {"not_listed", "listed", "listed_policy", "no_lists"},
    Check.PORT_25: {"no_targets", "no_route", "blocked"},
    Check.CERTIFICATE: {
        "valid", "no_starttls", "starttls_refused", "handshake_failed", "self_signed", "untrusted",
        "chain_expired", "no_host_name", "private", "smtp_refused", "unreachable",
    },
    Check.TLSA: set(re.findall(r'Finding\("(\w+)"[^\n]*(?:ERROR|WARNING)', Path(tlsa.__file__).read_text())) - {"mail_deferred"},
    Check.PTR: set(re.findall(r'Finding\("(\w+)"', Path(ptr.__file__).read_text())) - {
        "helo_address", "helo_local", "helo_not_full", "helo_bad_name", "generic",
    } | {"confirmed"},
}  # fmt: skip


def codes() -> list[tuple[Check, str]]:
    found = {(check, code) for check, several in ALSO.items() for code in several}
    for check, (file, pattern) in SOURCES.items():
        for groups in re.findall(pattern, (FOLDER / file).read_text()):
            for code in [groups] if isinstance(groups, str) else groups:
                if code:
                    found.add((check, code))
    return sorted(found)


@pytest.mark.parametrize(("check", "code"), codes())
def test_each_code_has_a_sentence(check, code) -> None:
    sentence = readywords.sentence(Item(check, "", State.BAD, code))
    assert sentence.endswith((".", "?")) and "The check reports" not in sentence


def test_unknown_code_is_shown_as_it_is() -> None:
    assert "strange_thing" in readywords.sentence(Item(Check.PTR, "", State.BAD, "strange_thing"))


@pytest.mark.parametrize("check", list(Check))
def test_each_check_has_a_title_and_a_purpose(check) -> None:
    assert readywords.title(check) and readywords.purpose(check).endswith(".")
