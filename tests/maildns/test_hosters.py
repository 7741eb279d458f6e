from __future__ import annotations

from datetime import date

import pytest

from maildns.hosters import HOSTERS, NameForm, NoteCode, recognise
from maildns.names import fits

KNOWN = [
    ("ionos", ["ns1085.ui-dns.com", "ns1031.ui-dns.org", "ns1092.ui-dns.de", "ns1069.ui-dns.biz"]),
    ("hetzner", ["hydrogen.ns.hetzner.com", "oxygen.ns.hetzner.com", "helium.ns.hetzner.de"]),
    ("netcup", ["root-dns.netcup.net", "second-dns.netcup.net", "third-dns.netcup.net"]),
    ("inwx", ["ns.inwx.de", "ns2.inwx.de", "ns3.inwx.eu"]),
    ("domainfactory", ["ns.namespace4you.de", "ns2.namespace4you.de"]),
    ("hostpoint", ["ns.hostpoint.ch", "ns2.hostpoint.ch", "ns3.hostpoint.ch"]),
    ("infomaniak", ["ns11.infomaniak.com", "ns12.infomaniak.com"]),
    ("ovh", ["dns19.ovh.net", "ns19.ovh.net"]),
    ("cloudflare", ["lara.ns.cloudflare.com", "rob.ns.cloudflare.com"]),
    ("cloudflare", ["blue.foundationdns.com", "blue.foundationdns.net", "blue.foundationdns.org"]),
    (
        "route53",
        [
            "ns-155.awsdns-22.com",
            "ns-326.awsdns-15.net",
            "ns-1352.awsdns-29.org",
            "ns-1536.awsdns-08.co.uk",
        ],
    ),
    ("godaddy", ["ns53.domaincontrol.com", "ns54.domaincontrol.com"]),
    ("namecheap", ["dns1.registrar-servers.com", "dns2.registrar-servers.com"]),
]


@pytest.mark.parametrize(("code", "servers"), KNOWN)
def test_hoster_is_recognised_by_all_its_servers(code: str, servers: list[str]) -> None:
    found = recognise(servers)
    assert found is not None
    assert found.code == code


def test_every_hoster_with_servers_is_in_the_table_above() -> None:
    assert {each.code for each in HOSTERS if each.name_servers} == {code for code, _ in KNOWN}


@pytest.mark.parametrize(
    "servers",
    [
        [],
        ["ns1.example.com"],
        ["ns1085.ui-dns.com", "ns.inwx.de"],
        ["ns1085.ui-dns.com", "ns1.example.com"],
        ["ns1.evil-ui-dns.com"],
        ["ns1085.evil-ui-dns.com"],
        ["ns1085.ui-dns.com.evil.example"],
        ["evil.ns1085.ui-dns.com"],
        ["ns1085xui-dns.com"],
        ["ns108501.ui-dns.com"],
        ["ns.cloudflare.com"],
        ["evilns.cloudflare.com"],
        ["lara.ns.cloudflare.com.example"],
        ["ns367123.ovh.net"],  # a customer's machine, not a server of OVH's
        ["vps-1.vps.ovh.net"],
        ["w0123456.kasserver.com"],
        ["ns1085.ui-dns.com\n"],
        ["ns1٣.ui-dns.com"],
        ["ns5.\u212aasserver.com"],  # the Kelvin sign
        [""],
    ],
)
def test_others_and_mixed_servers_are_nobodys(servers: list[str]) -> None:
    assert recognise(servers) is None


def test_spelling_of_a_name_does_not_matter() -> None:
    found = recognise(["NS1085.UI-DNS.com.", "ns1031.ui-dns.ORG"])
    assert found is not None
    assert found.code == "ionos"


@pytest.mark.parametrize("hoster", HOSTERS, ids=lambda each: each.code)
def test_everything_said_has_its_page_and_day(hoster) -> None:
    pages = [hoster.source, *(note.source for note in hoster.notes)]
    pages += [hoster.help_url] if hoster.help_url else []
    assert all(page.startswith("https://") and " " not in page for page in pages)
    assert date(2026, 1, 1) <= hoster.seen <= date(2027, 12, 31)
    assert hoster.name
    assert all(isinstance(note.code, NoteCode) for note in hoster.notes)
    assert len({note.code for note in hoster.notes}) == len(hoster.notes)


def test_codes_are_unique() -> None:
    assert len({each.code for each in HOSTERS}) == len(HOSTERS)


def test_short_name_is_said_only_of_a_form_that_wants_it() -> None:
    for hoster in HOSTERS:
        if NoteCode.SHORT_NAME in {note.code for note in hoster.notes}:
            assert hoster.name_form is NameForm.SHORT


@pytest.mark.parametrize(
    ("name", "pattern", "is_meant"),
    [
        ("a.example.com", ".example.com", True),
        ("a.b.example.com", ".example.com", True),
        ("example.com", ".example.com", False),
        ("a.evilexample.com", ".example.com", False),
        ("mx1.example.com", "mx#.example.com", True),
        ("mx.example.com", "mx#.example.com", False),
        ("mx12345.example.com", "mx#.example.com", False),
        ("mxaexampleacom", "mx.example.com", False),
    ],
)
def test_pattern_means_whole_labels(name: str, pattern: str, is_meant: bool) -> None:
    assert fits(name, pattern) is is_meant
