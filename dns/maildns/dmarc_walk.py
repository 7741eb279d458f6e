"""Which DMARC record applies to a domain: the tree walk of RFC 9989, 4.10."""

from __future__ import annotations

from dataclasses import dataclass, field

from maildns.answers import Ask, Outcome
from maildns.dmarc import Alignment, DmarcRecord, Policy, is_dmarc, parse_dmarc
from maildns.errors import LookupFailed

_WALKED_LABELS = 7  # RFC 9989, 4.10: so that no name takes more than eight queries
_MAX_NAME_OCTETS = 253


@dataclass(frozen=True)
class DmarcPolicy:
    """Which policy applies to mail from `author_domain`, and why.

    `record` is None where no DMARC is done; else it stands at `record_domain`, and `policy` is
    the value of its `tag`: p, sp or np. While testing, `policy.one_lower` is what is applied.
    `queried` are the domains asked, in order.
    """

    author_domain: str
    organizational_domain: str
    record_domain: str = ""
    record: DmarcRecord | None = None
    policy: Policy = Policy.NONE
    tag: str = "p"
    queried: tuple[str, ...] = field(default=(), compare=False)


async def discover_policy(author_domain: str, ask: Ask) -> DmarcPolicy:
    """Find the policy for mail from `author_domain` (RFC 9989, 4.10.1): at most nine questions.

    Raises LookupFailed where an answer is missing: silence is no statement about a policy.
    """
    walk = await _walk(author_domain, ask)
    records = walk.records
    organization = _organization(author_domain, records)
    suffix = next((name for name, record in records.items() if record.psd == "y"), "")
    nothing = DmarcPolicy(author_domain, organization, queried=walk.queried)
    domain = next((n for n in (author_domain, organization, suffix) if n in records), "")
    if not domain or records[domain].is_void:
        return nothing
    tag, policy = await _applied(records[domain], domain, author_domain, ask)
    return DmarcPolicy(
        author_domain, organization, domain, records[domain], policy, tag, walk.queried
    )


async def organizational_domain(domain: str, ask: Ask) -> str:
    """The domain that stands for the whole organization (RFC 9989, 4.10.2). Raises LookupFailed."""
    return _organization(domain, (await _walk(domain, ask)).records)


async def is_aligned(author_domain: str, domain: str, mode: Alignment, ask: Ask) -> bool:
    """Whether a signing or sending domain stands for the author's (RFC 9989, 4.4).

    Raises LookupFailed.
    """
    if author_domain == domain or mode is Alignment.STRICT:
        return author_domain == domain
    return await organizational_domain(author_domain, ask) == await organizational_domain(
        domain, ask
    )


async def takes_reports(uri: str, zone: str, ask: Ask) -> bool:
    """Whether the domain of a mailto URI takes reports about `zone` (RFC 9990, 4).

    Raises LookupFailed.
    """
    domain = uri.partition("?")[0].rpartition("@")[2].lower()
    if not domain:
        return False
    if await organizational_domain(domain, ask) == await organizational_domain(zone, ask):
        return True
    answer = await ask(f"{zone}._report._dmarc.{domain}", "TXT")
    if answer.outcome is Outcome.UNREACHABLE:
        raise LookupFailed(answer.name, answer.reason)
    return any(is_dmarc(text) for text in answer.values)


def walked_names(domain: str) -> tuple[str, ...]:
    """The domains of a tree walk, eight at most (RFC 9989, 4.10)."""
    labels = domain.split(".")
    parents = labels[1:][-_WALKED_LABELS:]
    return (domain, *(".".join(parents[place:]) for place in range(len(parents))))


@dataclass(frozen=True)
class _Walk:
    """The one DMARC record of each domain that has one, the longest name first."""

    records: dict[str, DmarcRecord]
    queried: tuple[str, ...]


async def _walk(domain: str, ask: Ask) -> _Walk:
    records: dict[str, DmarcRecord] = {}
    queried = []
    for name in walked_names(domain):
        if len(f"_dmarc.{name}") > _MAX_NAME_OCTETS:
            continue
        answer = await ask(f"_dmarc.{name}", "TXT")
        queried.append(name)
        if answer.outcome is Outcome.UNREACHABLE:
            raise LookupFailed(answer.name, answer.reason)
        texts = [text for text in answer.values if is_dmarc(text)]
        # RFC 9989, 4.10: where several stand, none counts, and the walk goes on.
        if len(texts) == 1:
            records[name] = parse_dmarc(texts[0])
            if records[name].psd != "u":
                break
    return _Walk(records, tuple(queried))


def _organization(start: str, records: dict[str, DmarcRecord]) -> str:
    """RFC 9989, 4.10.2, of the records found from `start` upwards."""
    for name, record in records.items():
        if record.psd == "n":
            return name
        if record.psd == "y" and name != start:
            below = start.removesuffix(f".{name}").split(".")
            return f"{below[-1]}.{name}"
    return min(records, key=lambda name: name.count("."), default=start)


async def _applied(
    record: DmarcRecord, domain: str, author_domain: str, ask: Ask
) -> tuple[str, Policy]:
    if domain == author_domain:
        return "p", record.policy
    if record.np is not None:
        # RFC 9989, 3.2.13 and RFC 8020: only NXDOMAIN says that a name does not exist.
        answer = await ask(author_domain, "A")
        if answer.outcome is Outcome.UNREACHABLE:
            raise LookupFailed(answer.name, answer.reason)
        if answer.outcome is Outcome.NO_NAME:
            return "np", record.np
    if record.subdomain_policy is not None:
        return "sp", record.subdomain_policy
    return "p", record.policy
