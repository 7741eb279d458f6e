from __future__ import annotations

from datetime import date

import pytest

from maildns.dkim import revoked_record
from maildns.mail_providers import PROVIDERS, SELECTORS, foreign_provider

KNOWN = [
    ("google", ["aspmx.l.google.com", "alt1.aspmx.l.google.com", "ALT4.ASPMX.L.GOOGLE.COM."]),
    ("google", ["smtp.google.com"]),
    ("microsoft", ["example-com.mail.protection.outlook.com"]),
    ("microsoft", ["example-com.p-v1.mx.microsoft"]),
    ("infomaniak", ["mta-gw.infomaniak.ch"]),
    ("hostpoint", ["mx1.mail.hostpoint.ch", "mx2.mail.hostpoint.ch"]),
    ("netcup", ["mx1.netcup.net"]),
    ("hosting_de", ["mx01.hosting.de", "mx03.hosting.de", "mxbackup.hosting.de"]),
    ("variomedia", ["mail.variomedia.de"]),
    ("ovh", ["mx0.mail.ovh.net", "mx3.mail.ovh.net"]),
    ("zoho", ["mx.zoho.eu", "mx2.zoho.eu", "mx3.zoho.eu"]),
    ("fastmail", ["in1-smtp.messagingengine.com", "in2-smtp.messagingengine.com"]),
    ("startmail", ["mx1.startmail.com", "mx2.startmail.com"]),
]


@pytest.mark.parametrize(("code", "hosts"), KNOWN)
def test_provider_is_recognised_by_all_its_hosts(code: str, hosts: list[str]) -> None:
    found = foreign_provider(hosts)
    assert found is not None
    assert found.code == code


def test_every_provider_is_in_the_table_above() -> None:
    assert {each.code for each in PROVIDERS} == {code for code, _ in KNOWN}


@pytest.mark.parametrize(
    "hosts",
    [
        [],
        ["."],
        ["mail.example.com"],
        ["aspmx.l.google.com", "mail.example.com"],
        ["evilsmtp.google.com"],
        ["smtp.google.com.evil.example"],
        ["mail.protection.outlook.com.evil.example"],
        ["mail.protection.outlook.com"],
        ["example-com.evilmail.protection.outlook.com"],
        ["mx.zoho.evil"],
    ],
)
def test_unknown_and_mixed_hosts_are_nobodys(hosts: list[str]) -> None:
    assert foreign_provider(hosts) is None


@pytest.mark.parametrize("entry", [*PROVIDERS, *SELECTORS], ids=lambda each: each.name)
def test_everything_said_has_its_page_and_day(entry) -> None:
    assert entry.source.startswith("https://")
    assert " " not in entry.source
    assert date(2026, 1, 1) <= entry.seen <= date(2027, 12, 31)


def test_selectors_are_few_and_names_that_can_be() -> None:
    names = [each.name for each in SELECTORS]
    assert len(set(names)) == len(names) <= 30
    assert all(revoked_record("example.com", name) for name in names)
