"""How the panel is told where to ask the DNS, and what it refuses to be told."""

from __future__ import annotations

import environ
import pytest

from mailadmin import dnsconfig
from panel.checks import check_settings
from panel.env import name_servers, zone_servers

NAME = "POSTKONTOR_DNS_TEST"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ()),
        ("192.0.2.1", (("192.0.2.1", 53),)),
        ("192.0.2.1:5353, [2001:DB8::1]:54,", (("192.0.2.1", 5353), ("2001:db8::1", 54))),
        ("2001:db8::1", (("2001:db8::1", 53),)),
    ],
)
def test_name_servers_are_addresses_with_a_port(monkeypatch, text: str, expected) -> None:
    monkeypatch.setenv(NAME, text)
    assert name_servers(NAME) == expected


@pytest.mark.parametrize(
    "text",
    [
        "ns.example.net", "192.0.2.1:", "192.0.2.1:0", "192.0.2.1:65536", "192.0.2.1:x",
        "192.0.2.256", "[192.0.2.1]:53x", "192.0.2.1;192.0.2.2", "192.0.2.1 192.0.2.2",
    ],
)  # fmt: skip
def test_bad_name_server_is_an_error_that_names_the_variable(monkeypatch, text: str) -> None:
    monkeypatch.setenv(NAME, text)
    with pytest.raises(environ.ImproperlyConfigured, match=NAME):
        name_servers(NAME)


def test_zones_have_servers_of_their_own(monkeypatch) -> None:
    monkeypatch.setenv(NAME, "Example.test.=127.0.0.1:15353,127.0.0.1:15354; test=192.0.2.1;")
    assert zone_servers(NAME) == {
        "example.test": (("127.0.0.1", 15353), ("127.0.0.1", 15354)),
        "test": (("192.0.2.1", 53),),
    }


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("example.test", "no server"),
        ("example.test=", "no server"),
        ("=192.0.2.1", "zone"),
        (".=192.0.2.1", "zone"),
        ("exämple.test=192.0.2.1", "zone"),
        ("a..test=192.0.2.1", "zone"),
        ("a.test=192.0.2.1;A.test.=192.0.2.2", "twice"),
        ("a.test=ns1.a.test", "ns1.a.test"),
    ],
)
def test_bad_zone_is_an_error_that_says_what(monkeypatch, text: str, says: str) -> None:
    monkeypatch.setenv(NAME, text)
    with pytest.raises(environ.ImproperlyConfigured, match=f"{NAME}.*{says}"):
        zone_servers(NAME)


def test_resolver_asks_as_it_is_told(settings) -> None:
    settings.DNS_RESOLVERS = (("192.0.2.1", 53),)
    settings.DNS_OVERRIDES = {"test": (("127.0.0.1", 15353),)}
    settings.DNS_PRIVATE_ADDRESSES = True
    made = dnsconfig.resolver().settings
    assert made.recursive == (("192.0.2.1", 53),)
    assert made.overrides == {"test": (("127.0.0.1", 15353),)}
    assert made.private_allowed


def test_private_name_servers_are_refused_unless_asked_for(settings) -> None:
    assert settings.DNS_PRIVATE_ADDRESSES is False
    assert not dnsconfig.resolver().settings.private_allowed


def test_private_name_servers_are_an_error_in_production(settings) -> None:
    settings.TRIAL = False
    settings.DNS_PRIVATE_ADDRESSES = True
    assert "panel.E004" in {each.id for each in check_settings()}
    settings.DNS_PRIVATE_ADDRESSES = False
    assert "panel.E004" not in {each.id for each in check_settings()}
