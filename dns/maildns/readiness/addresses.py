"""Judges sending addresses and their names: static, host name, PTR, block lists."""

from __future__ import annotations

import ipaddress

from maildns.answers import Answer, Outcome
from maildns.findings import Finding, Severity
from maildns.names import is_host_name
from maildns.ptr import check_ptr, lint_helo, looks_generic, reverse_name
from maildns.readiness.blocklists import Listing
from maildns.readiness.facts import ListKind
from maildns.readiness.look import Look
from maildns.readiness.report import Check, Item, State, item
from maildns.resolver import is_public

_STATES = {
    Severity.ERROR: State.BAD,
    Severity.WARNING: State.WARNING,
    Severity.NOTE: State.OK,
}
# What `static_address` and `host_name` say already.
_SAID_ELSEWHERE = frozenset(
    {"generic", "helo_address", "helo_local", "helo_not_full", "helo_bad_name"}
)


# --- static -------------------------------------------------------------------------------------


async def check_static_address(look: Look) -> list[Item]:
    """Whether receivers take an address for that of a server, not of somebody's access line."""
    return await look.at_each_address(_static)


async def _static(look: Look, address: str) -> list[Item]:
    check = Check.STATIC_ADDRESS
    if not is_public(address):
        state = State.OK if look.settings.private_allowed else State.BAD
        code = "private_trial" if look.settings.private_allowed else "private"
        return [item(check, address, state, code, ("address", address), rfc="6890 2.2.2")]
    answer = await look.ask(reverse_name(address), "PTR")
    listings = [each for each in await look.listings(address) if _says_static(each)]
    found = [
        item(check, address, State.BAD, "generic_name", ("ptr", name))
        for name in answer.values[:1]
        if looks_generic(name, address)
    ]
    found += [
        item(check, address, State.BAD, "policy_listed", *_evidence(each), rfc="5782 2.1")
        for each in listings
        if each.kinds & {ListKind.POLICY, ListKind.DIAL_UP}
    ]
    if found:
        return found
    if answer.outcome is Outcome.UNREACHABLE:
        return [item(check, address, State.UNKNOWN, "dns_error", *_silence(answer))]
    if listings and all(each.fault for each in listings):
        seen = [pair for each in listings for pair in _evidence(each)]
        return [item(check, address, State.UNKNOWN, "lists_silent", *seen)]
    return [item(check, address, State.OK, "static", *(("ptr", each) for each in answer.values))]


def _says_static(listing: Listing) -> bool:
    """Whether it is a list that says so if an address is an access line."""
    kinds = {listing.block_list.kind, *listing.block_list.codes.values()}
    return bool(kinds & {ListKind.POLICY, ListKind.DIAL_UP})


# --- the name -----------------------------------------------------------------------------------


async def check_host_name(look: Look) -> list[Item]:
    """Whether the host has a name that leads to its addresses, and says it in HELO."""
    name, helo = look.facts.name, look.facts.helo
    found = [_name_item(each, "name", name) for each in lint_helo(name)]
    if helo.lower() != name.lower():
        found += [_name_item(each, "helo", helo) for each in lint_helo(helo)]
        seen = ("name", name), ("helo", helo)
        found.append(
            item(Check.HOST_NAME, "", State.WARNING, "helo_differs", *seen, rfc="5321 4.1.1.1")
        )
    if not is_host_name(name.lower()):
        return found
    return found + await look.at_each_address(_way_to)


def _name_item(finding: Finding, which: str, name: str) -> Item:
    code = f"{which}_{finding.code.removeprefix('helo_')}"
    return item(Check.HOST_NAME, "", State.BAD, code, (which, name), rfc=finding.rfc)


async def _way_to(look: Look, address: str) -> list[Item]:
    return [_judge_way(look, address, await look.ask(look.facts.name.lower(), _type_of(address)))]


def _type_of(address: str) -> str:
    return "AAAA" if ":" in address else "A"


def _judge_way(look: Look, address: str, answer: Answer) -> Item:
    check, name = Check.HOST_NAME, look.facts.name.lower()
    seen = [("name", name), *(("address", each) for each in answer.values)]
    if answer.outcome is Outcome.UNREACHABLE:
        return item(check, address, State.UNKNOWN, "dns_error", *_silence(answer))
    if answer.aliases:
        aliases = (("alias", each) for each in answer.aliases)
        return item(check, address, State.BAD, "alias", *aliases, rfc="2181 10.3")
    if not answer.values:
        return item(check, address, State.BAD, "no_address", *seen, rfc="5321 2.3.5")
    if not _has(answer, address):
        return item(check, address, State.BAD, "other_address", *seen, rfc="5321 4.1.4")
    return item(check, address, State.OK, "resolves", *seen, rfc="5321 2.3.5")


def _has(answer: Answer, address: str) -> bool:
    wanted = ipaddress.ip_address(address)
    return any(ipaddress.ip_address(value) == wanted for value in answer.values)


# --- the way back -------------------------------------------------------------------------------


async def check_ptr_records(look: Look) -> list[Item]:
    """Whether each address has the name of the host, and the name leads back to it."""
    return await look.at_each_address(_ptr)


async def _ptr(look: Look, address: str) -> list[Item]:
    helo, zones = look.facts.helo.lower(), look.settings.tenant_zones
    findings = await check_ptr(address, helo, look.ask, tenant_zones=zones)
    answer = await look.ask(reverse_name(address), "PTR")
    seen = [
        ("reverse_name", reverse_name(address)),
        ("wanted", helo),
        *(("seen", each) for each in answer.values),
    ]
    found = [
        _ptr_item(each, address, seen) for each in findings if each.code not in _SAID_ELSEWHERE
    ]
    return found or [item(Check.PTR, address, State.OK, "confirmed", *seen, rfc="8601 3")]


def _ptr_item(finding: Finding, address: str, seen: list[tuple[str, str]]) -> Item:
    state = State.UNKNOWN if finding.code == "dns_error" else _STATES[finding.severity]
    where = ("where", finding.where)
    return item(Check.PTR, address, state, finding.code, where, *seen, rfc=finding.rfc)


# --- block lists --------------------------------------------------------------------------------


async def check_block_lists(look: Look) -> list[Item]:
    """Whether lists have an address in them. A list that does not work from here says nothing."""
    return await look.at_each_address(_listed)


async def _listed(look: Look, address: str) -> list[Item]:
    listings = await look.listings(address)
    if not listings:
        return [item(Check.BLOCK_LISTS, address, State.UNKNOWN, "no_lists")]
    return [_listing_item(each, address) for each in listings]


def _listing_item(listing: Listing, address: str) -> Item:
    if listing.fault:
        state, code = State.UNKNOWN, listing.fault
    elif not listing.kinds:
        state, code = State.OK, "not_listed"
    else:
        state = State.BAD
        code = "listed" if ListKind.SPAM in listing.kinds else "listed_policy"
    return item(Check.BLOCK_LISTS, address, state, code, *_evidence(listing), rfc="5782 2.1")


def _evidence(listing: Listing) -> list[tuple[str, str]]:
    """All that is known of it; the last three only where there is something."""
    rest = [
        ("text", listing.text),
        ("reason", listing.reason or listing.fault),
        ("removal", listing.block_list.removal if listing.kinds else ""),
    ]
    return [
        ("list", listing.block_list.zone),
        *((label, seen) for label, seen in rest if seen),
        *(("code", each) for each in listing.codes),
    ]


def _silence(answer: Answer) -> tuple[tuple[str, str], tuple[str, str]]:
    return ("name", answer.name), ("reason", answer.reason)
