"""DMARC records, and which of them applies to a domain: RFC 9989, with RFC 9990 for reports."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from maildns.answers import Ask, Outcome
from maildns.errors import BadRecord, LookupFailed
from maildns.findings import Finding, Severity
from maildns.records import Record
from maildns.tags import encoded_uri, is_report_uri, split_tags

_WALKED_LABELS = 7  # RFC 9989, 4.10: so that no name takes more than eight queries
_MAX_NAME_OCTETS = 253

_KNOWN = frozenset({"v", "p", "sp", "np", "t", "psd", "adkim", "aspf", "fo", "rua", "ruf"})
_REMOVED = frozenset({"pct", "rf", "ri"})  # RFC 9989, C.5.2
_CHOICES = {
    "p": frozenset({"none", "quarantine", "reject"}),
    "sp": frozenset({"none", "quarantine", "reject"}),
    "np": frozenset({"none", "quarantine", "reject"}),
    "t": frozenset({"y", "n"}),
    "psd": frozenset({"y", "n", "u"}),
    "adkim": frozenset({"r", "s"}),
    "aspf": frozenset({"r", "s"}),
}
_FO = re.compile(r"[01ds](?::[01ds])*", re.IGNORECASE)
# RFC 9989, 4.8: an obsolete limit behind an address, to be ignored.
_SIZE = re.compile(r"![0-9]+[kmgt]?\Z", re.IGNORECASE)


class Policy(StrEnum):
    """What shall become of mail that fails (RFC 9989, 4.7, p)."""

    NONE = "none"
    QUARANTINE = "quarantine"
    REJECT = "reject"

    @property
    def one_lower(self) -> Policy:
        """The policy that is meant while testing (RFC 9989, 4.7, t)."""
        return Policy.QUARANTINE if self is Policy.REJECT else Policy.NONE


class Alignment(StrEnum):
    """How near a signing or sending domain must be to the author's (RFC 9989, 4.4)."""

    RELAXED = "r"
    STRICT = "s"


@dataclass(frozen=True)
class DmarcRecord:
    """What a record says, defaults put in. Records with equal fields mean the same.

    `psd` is y, n or u. `rua` and `ruf` are the URIs that reports could be sent to.
    `is_void` records have a bad policy and no address for reports: no DMARC is to be done at all
    for their domain (RFC 9989, 4.10.1).
    """

    policy: Policy = Policy.NONE
    subdomain_policy: Policy | None = None
    np: Policy | None = None
    testing: bool = False
    psd: str = "u"
    adkim: Alignment = Alignment.RELAXED
    aspf: Alignment = Alignment.RELAXED
    fo: str = "0"
    rua: tuple[str, ...] = ()
    ruf: tuple[str, ...] = ()
    is_void: bool = False


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


# --- making -------------------------------------------------------------------------------------


def dmarc_record(
    zone: str,
    *,
    policy: Policy = Policy.NONE,
    subdomain_policy: Policy | None = None,
    np: Policy | None = None,
    testing: bool = False,
    rua: Sequence[str] = (),
    ruf: Sequence[str] = (),
    adkim: Alignment = Alignment.RELAXED,
    aspf: Alignment = Alignment.RELAXED,
    fo: str = "0",
) -> Record:
    """The TXT record at _dmarc.<zone>, with what is not the default.

    `p` comes second, as readers of RFC 7489 want it; pct, rf and ri are gone. `rua` and `ruf` are
    URIs such as tags.mailto() makes them; `fo` only goes with `ruf`. Raises BadRecord.
    """
    tags = {
        "v": "DMARC1",
        "p": policy,
        "sp": subdomain_policy,
        "np": np,
        "adkim": None if adkim == Alignment.RELAXED else adkim,
        "aspf": None if aspf == Alignment.RELAXED else aspf,
        "t": "y" if testing else None,
        "rua": ",".join(map(encoded_uri, rua)),
        "ruf": ",".join(map(encoded_uri, ruf)),
        "fo": fo if ruf and fo != "0" else None,
    }
    if not _FO.fullmatch(fo):
        raise BadRecord("fo")
    return Record(
        f"_dmarc.{zone}", "TXT", "; ".join(f"{tag}={value}" for tag, value in tags.items() if value)
    )


def parked_record(zone: str, *, rua: Sequence[str] = ()) -> Record:
    """The record of a zone that sends no mail."""
    return dmarc_record(
        zone,
        policy=Policy.REJECT,
        subdomain_policy=Policy.REJECT,
        np=Policy.REJECT,
        rua=rua,
        adkim=Alignment.STRICT,
        aspf=Alignment.STRICT,
    )


def report_authorisation(report_domain: str, *, for_zone: str = "*") -> Record:
    """The record by which `report_domain` takes the reports of another zone (RFC 9990, 4).

    Needed where their organizational domains differ; * takes those of every zone.
    """
    return Record(f"{for_zone}._report._dmarc.{report_domain}", "TXT", "v=DMARC1")


# --- reading ------------------------------------------------------------------------------------


def parse_dmarc(text: str) -> DmarcRecord:
    """Read a record as receivers must (RFC 9989, 4.7, 4.8 and 4.10.1).

    Raises BadRecord("version") for what is no DMARC record; all else that is wrong is ignored or
    becomes its default.
    """
    if not _is_dmarc(text):
        raise BadRecord("version")
    tags = _first_values(text)
    chosen = {tag: tags.get(tag, "").lower() for tag in _CHOICES}
    rua, ruf = _uris(tags.get("rua", "")), _uris(tags.get("ruf", ""))
    fo = tags.get("fo", "0").lower()
    facts = DmarcRecord(
        testing=chosen["t"] == "y",
        psd=chosen["psd"] if chosen["psd"] in ("y", "n") else "u",
        adkim=Alignment.STRICT if chosen["adkim"] == "s" else Alignment.RELAXED,
        aspf=Alignment.STRICT if chosen["aspf"] == "s" else Alignment.RELAXED,
        fo=fo if ruf and _FO.fullmatch(fo) else "0",
        rua=rua,
        ruf=ruf,
    )
    return _with_policies(facts, {tag: chosen[tag] for tag in ("p", "sp", "np") if tag in tags})


def _is_dmarc(text: str) -> bool:
    """RFC 9989, 4.7: v is the first tag, and its value matches exactly."""
    # RFC 5234, 2.3: names of tags take either case, only %s"DMARC1" does not.
    tags = split_tags(text)
    return bool(tags) and tags[0][0].lower() == "v" and tags[0][1] == "DMARC1"


def _first_values(text: str) -> dict[str, str]:
    tags: dict[str, str] = {}
    for name, value in split_tags(text):
        if value is not None:
            tags.setdefault(name.lower(), value)
    return tags


def _uris(content: str) -> tuple[str, ...]:
    uris = (_SIZE.sub("", uri.strip(" \t")) for uri in content.split(","))
    return tuple(uri for uri in uris if is_report_uri(uri))


def _with_policies(facts: DmarcRecord, policies: dict[str, str]) -> DmarcRecord:
    """RFC 9989, 4.10.1: a bad policy counts as p=none if reports can be sent, else as no DMARC."""
    values = {**vars(facts)}
    if any(value not in _CHOICES["p"] for value in policies.values()):
        return DmarcRecord(**{**values, "is_void": not facts.rua})
    known = {tag: Policy(value) for tag, value in policies.items()}
    values["policy"] = known.get("p", Policy.NONE)
    values["subdomain_policy"], values["np"] = known.get("sp"), known.get("np")
    return DmarcRecord(**values)


# --- discovery ----------------------------------------------------------------------------------


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
    return any(_is_dmarc(text) for text in answer.values)


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
        texts = [text for text in answer.values if _is_dmarc(text)]
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


# --- checking -----------------------------------------------------------------------------------


def lint_dmarc(texts: Sequence[str]) -> tuple[Finding, ...]:
    """Check all TXT values at _dmarc.<domain>."""
    meant = [text for text in texts if "dmarc1" in text.lower()]
    valid = [text for text in meant if _is_dmarc(text)]
    found = [
        Finding("foreign_text", text, "9989 4.10", Severity.NOTE)
        for text in texts
        if text not in meant
    ]
    if len(valid) > 1:
        found.append(Finding("several", str(len(valid)), "9989 4.10", Severity.ERROR))
    for text in meant:
        found += _tag_findings(text) if text in valid else [_version_finding(text)]
    return tuple(found)


def _version_finding(text: str) -> Finding:
    """Why a text that means to be a DMARC record is none."""
    tags = _first_values(text)
    code = "version"
    if "\\;" in text:
        code = "escaped"
    elif tags.get("v") == "DMARC1":
        code = "version_not_first"
    elif tags.get("v", "").lower() == "dmarc1":
        code = "version_case"
    return Finding(code, text, "9989 4.7", Severity.ERROR)


def _tag_findings(text: str) -> list[Finding]:
    pairs = split_tags(text)
    names = [name.lower() for name, _value in pairs]
    found = [
        Finding("duplicate_tag", name, "6376 3.2", Severity.ERROR)
        for name in dict.fromkeys(names)
        if names.count(name) > 1
    ]
    for name, value in pairs:
        if value is None:
            found.append(Finding("syntax", name, "9989 4.8", Severity.WARNING))
        else:
            found += _value_findings(name.lower(), value)
    if "p" not in names:
        found.append(Finding("no_policy", "p", "9989 4.7", Severity.WARNING))
    elif names[1] != "p":
        found.append(Finding("policy_not_second", "p", "7489 6.3", Severity.NOTE))
    if "fo" in names and "ruf" not in names:
        found.append(Finding("fo_without_ruf", "fo", "9989 4.7", Severity.NOTE))
    return found


def _value_findings(name: str, value: str) -> list[Finding]:
    where = f"{name}={value}"
    if name in _REMOVED:
        return [Finding("removed_tag", where, "9989 C.5.2", Severity.NOTE)]
    if name not in _KNOWN:
        return [Finding("unknown_tag", where, "9989 4.7", Severity.NOTE)]
    if name in ("p", "sp", "np") and value.lower() not in _CHOICES[name]:
        return [Finding("bad_policy", where, "9989 4.10.1", Severity.ERROR)]
    if name in _CHOICES and value.lower() not in _CHOICES[name]:
        return [Finding("bad_value", where, "9989 4.7", Severity.WARNING)]
    if name == "fo" and not _FO.fullmatch(value):
        return [Finding("bad_value", where, "9989 4.7", Severity.WARNING)]
    if name == "t" and value.lower() == "y":
        return [Finding("testing", where, "9989 4.7", Severity.NOTE)]
    if name in ("rua", "ruf"):
        return _uri_findings(value)
    return []


def _uri_findings(value: str) -> list[Finding]:
    found = []
    for uri in (part.strip(" \t") for part in value.split(",")):
        if not is_report_uri(_SIZE.sub("", uri)):
            found.append(Finding("bad_uri", uri, "9989 4.8", Severity.ERROR))
        elif _SIZE.search(uri):
            found.append(Finding("size_limit", uri, "9989 C.4", Severity.NOTE))
    return found
