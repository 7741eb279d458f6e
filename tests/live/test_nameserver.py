"""The name servers of a running trial, asked as the world would, and by the panel's settings."""

from __future__ import annotations

import json
from pathlib import Path

import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
import dns.tsig
import dns.update
import pytest
from trial import Trial, until

pytestmark = pytest.mark.live

# What `authoritative_servers` finds, and what each of them says.
ASK = """
import asyncio, json, sys
from mailadmin import dnsconfig
resolver = dnsconfig.resolver()
async def look(name, kind):
    servers = await resolver.authoritative_servers(name)
    answers = [await resolver.ask_server(server)(name, kind) for server in servers]
    return [(at.zone, said.outcome, said.values) for at, said in zip(servers, answers)]
print(json.dumps([asyncio.run(look(*each)) for each in json.load(sys.stdin)]))
"""


def ask(server: tuple[str, int], name: str, kind: str, *, tcp: bool = False) -> dns.message.Message:
    exchange = dns.query.tcp if tcp else dns.query.udp
    return exchange(dns.message.make_query(name, kind), server[0], 5, server[1])


def values(server: tuple[str, int], name: str, kind: str) -> list[str]:
    return [item.to_text() for rrset in ask(server, name, kind).answer for item in rrset]


def update(trial: Trial, zone: str, name: str, *, at: int = 0, secret: str = "", key: bool = True):
    """Add a TXT record; return the answer's code."""
    facts = trial.facts["dns_publishing"]
    secret = secret or Path(facts["tsig_file"]).read_text()
    signer = dns.tsig.Key(facts["tsig_name"], secret, facts["tsig_algorithm"])
    asked = dns.update.UpdateMessage(zone, keyring=signer if key else None)
    asked.add(f"{name}.", 60, "TXT", "proof")
    address, port = trial.facts["dns_servers"][at]
    try:
        return dns.query.tcp(asked, address, 5, port).rcode()
    except dns.tsig.PeerError:
        return dns.rcode.NOTAUTH  # RFC 8945, 5.2


@pytest.mark.parametrize("tcp", [False, True])
@pytest.mark.parametrize("number", [0, 1])
def test_each_answers_for_the_demo_domain(trial: Trial, number: int, tcp: bool) -> None:
    reply = ask(trial.facts["dns_servers"][number], "www.example.test", "A", tcp=tcp)
    assert reply.flags & dns.flags.AA
    assert [rrset.rdtype for rrset in reply.answer] == [dns.rdatatype.A]


def test_address_in_the_list_is_the_primary(trial: Trial) -> None:
    assert trial.facts["dns"] == trial.facts["dns_servers"][0]


@pytest.mark.parametrize(
    ("zone", "name"),
    [
        ("example.test", "by-key.example.test"),
        ("test", "_postkontor.claimed.test"),
        ("127.in-addr.arpa", "by-key.127.in-addr.arpa"),
        ("postkontor.test", "by-key.postkontor.test"),
    ],
)
def test_update_with_the_key_arrives_at_both(trial: Trial, zone: str, name: str) -> None:
    assert update(trial, zone, name) == dns.rcode.NOERROR
    for server in trial.facts["dns_servers"]:
        until(lambda server=server: values(server, name, "TXT") == ['"proof"'], what=name)


@pytest.mark.parametrize("given", [{"key": False}, {"secret": "AAAA"}, {"at": 1}])
def test_update_without_the_key_or_elsewhere_is_refused(trial: Trial, given: dict) -> None:
    refused = (dns.rcode.REFUSED, dns.rcode.NOTAUTH)
    assert update(trial, "example.test", "refused.example.test", **given) in refused
    for server in trial.facts["dns_servers"]:
        assert values(server, "refused.example.test", "TXT") == []


def test_zone_is_not_given_away_without_the_key(trial: Trial) -> None:
    for server in trial.facts["dns_servers"]:
        assert ask(server, "example.test", "AXFR", tcp=True).rcode() == dns.rcode.NOTAUTH


def test_panel_finds_both_servers_of_each_zone(trial: Trial) -> None:
    """Also of a name that only lies in `test`; the host's own name leads to its address."""
    questions = [
        ("www.example.test", "A"), ("mail.postkontor.test", "A"),
        ("3.2.1.127.in-addr.arpa", "PTR"), ("my.test", "MX"),
    ]  # fmt: skip
    found = json.loads(trial.manage("shell", "-v0", "-c", ASK, given=json.dumps(questions)))
    assert found == [
        [["example.test", "found", ["192.0.2.80"]]] * 2,
        [["postkontor.test", "found", ["127.0.0.1"]]] * 2,
        [["127.in-addr.arpa", "no_name", []]] * 2,
        [["test", "no_name", []]] * 2,
    ]
