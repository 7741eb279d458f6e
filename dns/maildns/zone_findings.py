"""What is worth knowing of a zone before its mail moves: what blocks, and what to take care of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from maildns.check import Wanted
from maildns.dmarc import Policy, is_dmarc, parse_dmarc
from maildns.errors import BadRecord
from maildns.findings import Finding, Severity
from maildns.inventory import Inventory, Seen, selector_name
from maildns.mail_providers import SELECTORS, KnownSelector
from maildns.mx import parse_mx


def zone_findings(inventory: Inventory, wanted: Sequence[Wanted]) -> Iterable[Finding]:
    """What is true of the zone whatever changes; errors say that nothing can be planned."""
    domain = inventory.domain
    if inventory.failure:
        yield Finding("unreadable", inventory.failure, "2308 7", Severity.ERROR)
        return
    apex = [each for each in inventory.seen if each.name == domain]
    if any(each.aliases for each in apex):
        yield Finding("alias_at_apex", domain, "1034 3.6.2", Severity.ERROR)
    asked_for = {each.question for each in wanted}
    for each in inventory.seen:
        if each.is_unreachable and (each.name, each.type) not in asked_for:
            where = f"{each.name} {each.type}"
            severity = Severity.ERROR if where == f"{domain} MX" else Severity.WARNING
            yield Finding("unreachable", where, "2308 7", severity)
        if each.left_out:
            where = f"{each.name} {each.type} {each.left_out}"
            yield Finding("left_out", where, "1035 3.3.14", Severity.NOTE)
    if any(each.type == "DNSKEY" and each.is_there for each in apex):
        yield Finding("dnssec", domain, "4035 2.4", Severity.NOTE)
    yield from _mx_findings(inventory, wanted)
    yield from _policy_findings(inventory)


def _mx_findings(inventory: Inventory, wanted: Sequence[Wanted]) -> Iterable[Finding]:
    domain = inventory.domain
    if inventory.at(f"*.{domain}", "MX"):
        yield Finding("wildcard_mx", f"*.{domain}", "4592 2.1", Severity.NOTE)
    mx = inventory.at(domain, "MX")
    if mx is None or mx.is_unreachable:
        return
    hosts = mx_hosts(mx)
    ours = {
        _mx_host(value)
        for each in wanted
        if each.question == (domain, "MX")
        for value in each.values
    }
    if hosts == ["."]:
        yield Finding("null_mx", domain, "7505 3", Severity.NOTE)
    elif hosts and ours.issuperset(hosts):
        yield Finding("mx_is_ours", domain, "5321 5.1", Severity.NOTE)
    elif ours.intersection(hosts):
        yield Finding("mx_mixed", " ".join(hosts), "5321 5.1", Severity.WARNING)
    elif not hosts:
        addresses = [inventory.at(domain, rdtype) for rdtype in ("A", "AAAA")]
        implicit = any(each is not None and each.is_there for each in addresses)
        code = "implicit_mx" if implicit else "no_mx"
        yield Finding(code, domain, "5321 5.1", Severity.WARNING if implicit else Severity.NOTE)


def _policy_findings(inventory: Inventory) -> Iterable[Finding]:
    dmarc = inventory.at(f"_dmarc.{inventory.domain}", "TXT")
    for value in dmarc.values if dmarc and dmarc.is_there else ():
        if is_dmarc(value) and parse_dmarc(value).policy is not Policy.NONE:
            # Mail that we send and do not sign yet would be refused.
            yield Finding("dmarc_enforced", value, "9989 4.7", Severity.WARNING)
    mta_sts = inventory.at(f"_mta-sts.{inventory.domain}", "TXT")
    if mta_sts and mta_sts.is_there:
        # Senders keep the old policy, which names the old hosts, for as long as it says.
        yield Finding("mta_sts", mta_sts.name, "8461 3", Severity.WARNING)
    for sender in dict.fromkeys(each.sender for each in SELECTORS if _signs(inventory, each)):
        yield Finding("sender", sender, "6376 3.1", Severity.NOTE)


def _signs(inventory: Inventory, selector: KnownSelector) -> bool:
    seen = inventory.at(selector_name(inventory.domain, selector.name), "TXT")
    return bool(selector.sender and seen and seen.is_there)


def mx_hosts(mx: Seen) -> list[str]:
    """The hosts of the MX records that can be read."""
    return [host for host in map(_mx_host, mx.values) if host]


def _mx_host(value: str) -> str:
    try:
        return parse_mx(value)[1]
    except BadRecord:
        return ""
