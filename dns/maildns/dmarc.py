"""DMARC records: RFC 9989, and RFC 9990 for where reports may go."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from maildns.errors import BadRecord
from maildns.findings import Finding, Severity
from maildns.records import Record
from maildns.tags import encoded_uri, is_report_uri, split_tags, version_fault

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
    if not is_dmarc(text):
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


def is_dmarc(text: str) -> bool:
    """Whether v is the first tag, and its value matches exactly (RFC 9989, 4.7)."""
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
    if any(value not in _CHOICES["p"] for value in policies.values()):
        return replace(facts, is_void=not facts.rua)
    known = {tag: Policy(value) for tag, value in policies.items()}
    return replace(
        facts,
        policy=known.get("p", Policy.NONE),
        subdomain_policy=known.get("sp"),
        np=known.get("np"),
    )


# --- checking -----------------------------------------------------------------------------------


def lint_dmarc(texts: Sequence[str]) -> tuple[Finding, ...]:
    """Check all TXT values at _dmarc.<domain>."""
    meant = [text for text in texts if "dmarc1" in text.lower()]
    valid = [text for text in meant if is_dmarc(text)]
    found = [
        Finding("foreign_text", text, "9989 4.10", Severity.NOTE)
        for text in texts
        if text not in meant
    ]
    if len(valid) > 1:
        found.append(Finding("several", str(len(valid)), "9989 4.10", Severity.ERROR))
    for text in meant:
        if text in valid:
            found += _tag_findings(text)
        else:
            code = version_fault(text, "DMARC1")
            found.append(Finding(code, text, "9989 4.7", Severity.ERROR))
    return tuple(found)


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
