from __future__ import annotations

import asyncio
import json

import pytest
from fakedns import TTL, Data, FakeResolver

from maildns.answers import Outcome
from maildns.inventory import MAX_CHARACTERS, MAX_VALUE_CHARACTERS, Inventory, read_zone

ZONE = "example.com"
KEY = "v=DKIM1; k=rsa; p=MIGf"

FOREIGN: Data = {
    ZONE: {
        "A": ["192.0.2.80"],
        "NS": ["ns1.host.example", "ns2.host.example"],
        "MX": ["10 mx.example.com", "20 backup.host.example"],
        "TXT": ["google-site-verification=abc", "v=spf1 include:_spf.host.example ~all"],
        "CAA": ['0 issue "ca.example"'],
    },
    "www.example.com": {"CNAME": ["web.host.example"]},
    "web.host.example": {"A": ["192.0.2.80"]},
    "mx.example.com": {"A": ["192.0.2.25"]},
    "imap.example.com": {"A": ["192.0.2.25"]},
    "_dmarc.example.com": {"TXT": ["v=DMARC1; p=reject"]},
    "google._domainkey.example.com": {"TXT": [KEY]},
    "_imaps._tcp.example.com": {"SRV": ["0 1 993 imap.example.com"]},
}


def read(resolver: FakeResolver, *also: tuple[str, str], seconds: float = 5.0) -> Inventory:
    return asyncio.run(read_zone(ZONE, resolver, also=also, deadline_seconds=seconds))


def read_data(data: Data) -> Inventory:
    return read(FakeResolver(ZONE, {"ns1": data}))


def test_what_mail_and_web_use_is_found_with_its_ttl() -> None:
    inventory = read_data(FOREIGN)
    found = {(each.name, each.type): each for each in inventory.seen if each.is_there}
    assert found[ZONE, "MX"].values == ("10 mx.example.com", "20 backup.host.example")
    assert found[ZONE, "MX"].ttl_seconds == TTL
    assert found[ZONE, "CAA"].values == ('0 issue "ca.example"',)
    assert found["www.example.com", "CNAME"].values == ("web.host.example",)
    assert found["google._domainkey.example.com", "TXT"].values == (KEY,)
    assert found["_imaps._tcp.example.com", "SRV"].values == ("0 1 993 imap.example.com",)
    assert found["_dmarc.example.com", "TXT"].values == ("v=DMARC1; p=reject",)
    assert ("selector1._domainkey.example.com", "TXT") not in found
    absent = inventory.at("selector1._domainkey.example.com", "TXT")
    assert absent is not None
    assert absent.outcome is Outcome.NO_NAME


def test_mail_hosts_within_the_zone_are_asked_for() -> None:
    inventory = read_data(FOREIGN)
    host = inventory.at("mx.example.com", "A")
    assert host is not None
    assert host.values == ("192.0.2.25",)
    assert inventory.at("backup.host.example", "A") is None


def test_spf_comes_first_and_other_text_behind() -> None:
    text = read_data(FOREIGN).at(ZONE, "TXT")
    assert text is not None
    assert text.values == ("v=spf1 include:_spf.host.example ~all", "google-site-verification=abc")


def test_more_can_be_asked_for() -> None:
    wanted = ("pk2026a._domainkey.example.com", "TXT")
    seen = read(FakeResolver(ZONE, {"ns1": FOREIGN}), wanted).at(*wanted)
    assert seen is not None
    assert not seen.is_there


def test_one_server_is_asked_when_it_answers() -> None:
    resolver = FakeResolver(ZONE, {"ns1": FOREIGN, "ns2": FOREIGN})
    inventory = read(resolver)
    assert inventory.asked == ("ns1",)
    assert inventory.servers == ("ns1", "ns2")
    assert {server for server, _name, _type in resolver.asked} == {"ns1"}
    assert len(resolver.asked) < 100
    assert len(set(resolver.asked)) >= len(resolver.asked) - 3  # but for SOA


def test_dead_server_costs_one_question() -> None:
    resolver = FakeResolver(ZONE, {"ns1": {}, "ns2": FOREIGN}, {"ns1": "timeout"})
    inventory = read(resolver)
    assert inventory.asked == ("ns2",)
    assert {(name, rdtype) for server, name, rdtype in resolver.asked if server == "ns1"} == {
        (ZONE, "SOA")
    }
    mx = inventory.at(ZONE, "MX")
    assert mx is not None
    assert mx.is_there


def test_silence_is_not_absence() -> None:
    dead = {"ns1": "timeout", "ns2": "servfail"}
    inventory = read(FakeResolver(ZONE, {"ns1": FOREIGN, "ns2": FOREIGN}, dead))
    assert inventory.asked == ()
    assert inventory.seen
    assert all(each.is_unreachable and not each.is_there for each in inventory.seen)


@pytest.mark.parametrize("reason", ["no_delegation", "timeout", "too_many_servers"])
def test_servers_that_cannot_be_found_are_told(reason: str) -> None:
    inventory = read(FakeResolver(ZONE, {}, lookup_fails=reason))
    assert inventory == Inventory(ZONE, (), (), (), reason)


# --- wildcards ----------------------------------------------------------------------------------


def test_wildcard_is_no_selector() -> None:
    inventory = read_data({ZONE: {}, "*.example.com": {"TXT": ["v=spf1 -all"], "A": ["192.0.2.1"]}})
    there = {each.name for each in inventory.seen if each.is_there}
    assert there == {"*.example.com"}
    seen = inventory.at("google._domainkey.example.com", "TXT")
    assert seen is not None
    assert seen.is_wildcard


def test_name_with_its_own_value_beside_a_wildcard_is_there() -> None:
    data: Data = {
        ZONE: {},
        "*.example.com": {"TXT": ["any"], "CNAME": ["web.host.example"]},
        "web.host.example": {"A": ["192.0.2.80"]},
        "google._domainkey.example.com": {"TXT": [KEY]},
        "www.example.com": {"A": ["192.0.2.81"]},
    }
    there = {(each.name, each.type) for each in read_data(data).seen if each.is_there}
    assert ("google._domainkey.example.com", "TXT") in there
    assert ("www.example.com", "A") in there
    assert ("imap.example.com", "CNAME") not in there


def test_wildcard_of_keys_is_seen() -> None:
    data: Data = {ZONE: {}, "*._domainkey.example.com": {"TXT": [KEY]}}
    there = {each.name for each in read_data(data).seen if each.is_there}
    assert there == {"*._domainkey.example.com"}


def test_wildcard_for_mail_is_seen() -> None:
    inventory = read_data({ZONE: {}, "*.example.com": {"MX": ["10 mx.host.example"]}})
    assert inventory.at("*.example.com", "MX") is not None


# --- hostile answers ----------------------------------------------------------------------------


def test_spf_is_found_among_a_thousand_texts() -> None:
    texts = [f"token-{number:04}={'x' * 60}" for number in range(1000)]
    seen = read_data({ZONE: {"TXT": [*texts, "v=spf1 mx -all"]}}).at(ZONE, "TXT")
    assert seen is not None
    assert seen.values[0] == "v=spf1 mx -all"
    assert seen.left_out == 1001 - len(seen.values)
    assert 0 < seen.left_out < 1001
    assert sum(map(len, seen.values)) <= MAX_CHARACTERS


def test_long_values_are_cut_and_control_bytes_shown() -> None:
    seen = read_data({ZONE: {"TXT": ["\x00\x07\xff\\", "x" * 60_000]}}).at(ZONE, "TXT")
    assert seen is not None
    assert sorted(map(len, seen.values)) == [14, MAX_VALUE_CHARACTERS]
    assert "\\000\\007\\255\\\\" in seen.values


def test_inventory_survives_storing() -> None:
    inventory = read_data({**FOREIGN, "*.example.com": {"TXT": ["\x00"]}})
    text = json.dumps(inventory.to_json())
    assert text.isascii()
    assert "\\u0000" not in text
    assert Inventory.from_json(json.loads(text)) == inventory


def test_deadline_holds() -> None:
    class Slow(FakeResolver):
        def ask_server(self, server):
            async def ask(name: str, rdtype: str):
                await asyncio.sleep(60)

            return ask

    inventory = read(Slow(ZONE, {"ns1": FOREIGN, "ns2": FOREIGN}), seconds=0.2)
    assert all(each.reason == "timeout" for each in inventory.seen)
