"""Judges what the DNS says of the mail of a host: SPF and DKIM."""

from __future__ import annotations

from ipaddress import ip_address

from maildns.answers import Outcome
from maildns.dkim import KeyRecord, parse_key_record
from maildns.errors import BadRecord
from maildns.readiness.look import Look
from maildns.readiness.report import Check, Item, State, item
from maildns.spf.evaluate import Result, SpfOutcome, check_host

# Bounces have no sender, so HELO is what is checked (RFC 7208, 2.4); few have a record there.
_HELO = {
    Result.PASS: (State.OK, "helo_pass", "7208 2.3"),
    Result.NONE: (State.WARNING, "helo_none", "7208 10.1.3"),
    Result.NEUTRAL: (State.WARNING, "helo_not_listed", "7208 2.6.2"),
    Result.SOFTFAIL: (State.WARNING, "helo_not_listed", "7208 2.6.5"),
    Result.FAIL: (State.BAD, "helo_fail", "7208 2.6.4"),
    Result.PERMERROR: (State.BAD, "helo_broken", "7208 2.6.7"),
    Result.TEMPERROR: (State.UNKNOWN, "helo_dns_error", "7208 2.6.6"),
}
# RFC 7208, 5.2: what does not pass makes an include not match, and no record at all breaks the
# record of everybody who includes it.
_INCLUDE = {
    Result.PASS: (State.OK, "include_pass", "7208 5.2"),
    Result.NONE: (State.BAD, "include_none", "7208 5.2"),
    Result.NEUTRAL: (State.BAD, "include_not_listed", "7208 5.2"),
    Result.SOFTFAIL: (State.BAD, "include_not_listed", "7208 5.2"),
    Result.FAIL: (State.BAD, "include_not_listed", "7208 5.2"),
    Result.PERMERROR: (State.BAD, "include_broken", "7208 5.2"),
    Result.TEMPERROR: (State.UNKNOWN, "include_dns_error", "7208 2.6.6"),
}


async def check_spf(look: Look) -> list[Item]:
    """Whether the host may send in its own name, and in that of all who include ours."""
    found = await look.at_each_address(_helo)
    if look.facts.spf_include:
        return found + await look.at_each_address(_include)
    return [*found, item(Check.SPF, "", State.UNKNOWN, "include_unset")]


async def _helo(look: Look, address: str) -> list[Item]:
    helo = look.facts.helo.lower()
    outcome = await _outcome(look, address, helo)
    return [_spf_item(_HELO[outcome.result], address, helo, outcome)]


async def _include(look: Look, address: str) -> list[Item]:
    include = look.facts.spf_include
    outcome = await _outcome(look, address, include)
    return [_spf_item(_INCLUDE[outcome.result], address, include, outcome)]


async def _outcome(look: Look, address: str, domain: str) -> SpfOutcome:
    sender, helo = f"postmaster@{domain}", look.facts.helo.lower()
    return await check_host(ip_address(address), domain, sender, helo=helo, ask=look.ask)


def _spf_item(
    judged: tuple[State, str, str], address: str, domain: str, outcome: SpfOutcome
) -> Item:
    state, code, rfc = judged
    rest = ("term", outcome.term), ("where", outcome.where), ("problem", outcome.problem)
    seen = [
        ("domain", domain),
        ("result", outcome.result.value),
        *((label, value) for label, value in rest if value),
    ]
    return item(Check.SPF, address, state, code, *seen, rfc=rfc)


async def check_dkim(look: Look) -> list[Item]:
    """Whether the key that the host signs with stands in the DNS."""
    facts = look.facts
    if not (facts.dkim_domain and facts.dkim_selector and facts.dkim_record):
        return [item(Check.DKIM, "", State.UNKNOWN, "not_signing")]
    name = f"{facts.dkim_selector}._domainkey.{facts.dkim_domain}"
    answer = await look.ask(name, "TXT")
    seen = [("name", name), *(("seen", each) for each in answer.values)]
    if answer.outcome is Outcome.UNREACHABLE:
        reason = ("reason", answer.reason)
        return [item(Check.DKIM, "", State.UNKNOWN, "dns_error", *seen, reason)]
    state, code, rfc = State.BAD, _dkim_code(facts.dkim_record, answer.values), "6376 3.6.2"
    if code == "same":
        state = State.OK
    return [item(Check.DKIM, "", state, code, *seen, rfc=rfc)]


def _dkim_code(wanted: str, values: tuple[str, ...]) -> str:
    if not values:
        return "missing"
    if len(values) > 1:
        return "several"  # RFC 6376, 3.6.2.2: which of them counts is anybody's guess
    seen = _key(values[0])
    if seen is not None and seen.is_revoked:
        return "revoked"
    return "same" if seen is not None and seen == _key(wanted) else "differs"


def _key(value: str) -> KeyRecord | None:
    try:
        return parse_key_record(value)
    except BadRecord:
        return None
