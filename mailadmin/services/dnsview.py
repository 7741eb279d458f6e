"""What the page of a domain's DNS shows: wanted beside seen, as codes and facts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from mailadmin.models import Domain
from mailadmin.services import readiness, wanted, zones
from mailadmin.services.wanted import Group, WantedRecord
from maildns import rotation
from maildns.check import Hint, RecordReport, RecordState, ServerReport
from maildns.dkim import lint_dkim
from maildns.dmarc import lint_dmarc
from maildns.findings import Finding
from maildns.hosters import Hoster, recognise
from maildns.models import DkimKey
from maildns.mta_sts import lint_mta_sts
from maildns.mx import lint_mx
from maildns.names import lint_cname
from maildns.readiness.report import Check
from maildns.spf.lint import lint_spf
from maildns.srv import lint_srv
from maildns.tls_rpt import lint_tls_rpt

Parked = Literal["parked", "parked_unsaid", "unknown", "unchecked"]
Receiving = Literal["works", "partly", "broken", "elsewhere"] | Parked
Sending = Literal["good", "unsigned", "spam_risk"] | Parked


@dataclass(frozen=True)
class Seen:
    """What some servers show alike."""

    servers: tuple[str, ...]
    state: RecordState
    values: tuple[str, ...]
    left_out: int
    aliases: tuple[str, ...]
    reason: str


@dataclass(frozen=True)
class RecordView:
    """One wanted record. `state` is empty before the first look."""

    kind: str
    group: Group
    name: str
    short_name: str
    type: str
    values: tuple[str, ...]
    state: str
    seen: tuple[Seen, ...] = ()
    hints: tuple[Hint, ...] = ()
    findings: tuple[Finding, ...] = ()
    key: DkimKey | None = None
    signs_from: datetime | None = None
    # What to enter is what stands there, with ours added.
    is_merged: bool = False

    @property
    def is_right(self) -> bool:
        return self.state == RecordState.OK

    @property
    def anchor(self) -> str:
        return self.kind.replace(":", "-")


@dataclass(frozen=True)
class DnsView:
    """The page of one domain. `failure` is why no server could be asked at all."""

    domain: Domain
    records: tuple[RecordView, ...]
    servers: tuple[str, ...]
    failure: str
    receiving: Receiving
    sending: Sending
    spf: dict[str, dict[str, object]]
    # How the PTR records of the mail host stand: a State of maildns.readiness, empty before.
    ptr: str

    @property
    def hoster(self) -> Hoster | None:
        """Who runs the zone, where its name servers tell."""
        return recognise(self.servers)

    @property
    def needed(self) -> list[RecordView]:
        return [each for each in self.records if each.group in wanted.NEEDED]

    @property
    def right_count(self) -> int:
        return sum(each.is_right for each in self.needed)

    @property
    def worst(self) -> RecordView | None:
        """The one to mend first."""
        return next((each for each in self.needed if not each.is_right), None)

    def of(self, group: str) -> list[RecordView]:
        return [each for each in self.records if each.group == group]


def of_domain(domain: Domain) -> DnsView:
    zone = domain.zone
    report = zones.report_of(zone) if zone.report else None
    reports = {each.kind: each for each in report.records} if report else {}
    records = tuple(
        _record(domain, each, reports.get(each.kind))
        for each in wanted.of_domain(domain, spf_seen=zones.spf_seen(zone))
        if each.records or each.kind in reports
    )
    return DnsView(
        domain,
        records,
        report.servers if report else (),
        report.failure if report else "",
        _parked(records, Group.RECEIVE) if domain.is_parked else _receiving(domain, records),
        _parked(records, Group.SEND) if domain.is_parked else _sending(records),
        zone.verdicts.get("spf", {}),
        _ptr(domain),
    )


def _ptr(domain: Domain) -> str:
    report = readiness.report_of(domain.host)
    return report.state(Check.PTR) if report else ""


def _record(domain: Domain, each: WantedRecord, report: RecordReport | None) -> RecordView:
    name = each.check.name
    short = "@" if name == domain.name else name.removesuffix(f".{domain.name}")
    return RecordView(
        each.kind,
        each.group,
        name,
        short,
        each.check.type,
        tuple(record.form_value() for record in each.records),
        report.state if report else "",
        _grouped(report.servers) if report else (),
        report.hints if report else (),
        _findings(each, report) if report and report.state is not RecordState.OK else (),
        each.key,
        rotation.signs_from(each.key) if each.key else None,
        each.kind == "spf" and bool(zones.spf_seen(domain.zone)),
    )


def _grouped(servers: Iterable[ServerReport]) -> tuple[Seen, ...]:
    """Servers that show the same, together: mostly that is all of them."""
    groups: dict[tuple[object, ...], list[ServerReport]] = {}
    for server in servers:
        alike = (server.state, server.seen, server.left_out, server.aliases, server.reason)
        groups.setdefault(alike, []).append(server)
    return tuple(
        Seen(
            tuple(each.server for each in group), group[0].state, group[0].seen,
            group[0].left_out, group[0].aliases, group[0].reason,
        )
        for group in groups.values()
    )  # fmt: skip


def _findings(each: WantedRecord, report: RecordReport) -> tuple[Finding, ...]:
    """What is wrong with the records that stand there, whoever made them."""
    values = sorted({value for server in report.servers for value in server.seen})
    linted = lint(each.kind, values)
    return tuple(finding for finding in linted if not finding.code.endswith("no_record"))


def lint(kind: str, values: Sequence[str]) -> tuple[Finding, ...]:
    """Judge the values seen at a record's name by the rules of its kind."""
    match kind.partition(":")[0]:
        case "mx" | "null_mx":
            return lint_mx(values)
        case "spf" | "no_spf":
            return lint_spf(values)
        case "dkim":
            return lint_dkim(values) if values else ()
        case "dmarc" | "no_dmarc":
            return lint_dmarc(values)
        case "mta_sts":
            return lint_mta_sts(values)
        case "tls_rpt":
            return lint_tls_rpt(values)
        case "srv":
            return lint_srv(values)
        case "mta_sts_host" | "autoconfig" | "autodiscover":
            return lint_cname(tuple(values))
        case _:
            return ()


def _parked(records: Iterable[RecordView], group: Group) -> Parked:
    """Whether the records of a domain without mail say so."""
    states = {each.state for each in records if each.group is group}
    if "" in states:
        return "unchecked"
    if states == {RecordState.OK}:
        return "parked"
    return "unknown" if states <= {RecordState.OK, RecordState.UNREACHABLE} else "parked_unsaid"


def _receiving(domain: Domain, records: Iterable[RecordView]) -> Receiving:
    mx = next((each.state for each in records if each.kind == "mx"), "")
    if domain.mail_elsewhere and mx != RecordState.OK:
        return "elsewhere"
    by_state: dict[str, Receiving] = {
        "": "unchecked",
        RecordState.OK: "works",
        RecordState.SEVERAL: "partly",
        RecordState.UNREACHABLE: "unknown",
    }
    return by_state.get(mx, "broken")


def _sending(records: Iterable[RecordView]) -> Sending:
    needed = [each for each in records if each.group is Group.SEND]
    states = {each.state for each in needed if not each.key or each.key.state == "signing"}
    if "" in {each.state for each in needed}:
        return "unchecked"
    if states - {RecordState.OK, RecordState.UNREACHABLE}:
        return "spam_risk"
    if RecordState.UNREACHABLE in states:
        return "unknown"
    signs = any(each.key and each.key.state == "signing" for each in needed)
    return "good" if signs else "unsigned"


def zone_file(domain: Domain) -> str:
    """The wanted records as a zone file (RFC 1035, 5.1), with absolute names."""
    lines = [
        record.zone_line()
        for each in wanted.of_domain(domain, spf_seen=zones.spf_seen(domain.zone))
        for record in each.records
    ]
    return "".join(f"{line}\n" for line in lines)
