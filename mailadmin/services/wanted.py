"""What must stand in the DNS for one domain, from the facts that the panel has."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial

from django.conf import settings

from mailadmin.models import Domain
from mailadmin.models.domains import StsMode
from maildns import rotation
from maildns.check import Mode, Wanted
from maildns.compare import same_value
from maildns.dmarc import dmarc_record, is_dmarc
from maildns.dmarc import parked_record as dmarc_for_parked
from maildns.errors import DnsError
from maildns.models import DkimKey
from maildns.mta_sts import mta_sts_record, policy_host_record, policy_id
from maildns.mx import mx_records, null_mx
from maildns.names import autoconfig_records, is_host_name
from maildns.records import Record
from maildns.spf.build import merge_spf, spf_record
from maildns.spf.build import parked_record as spf_for_parked
from maildns.spf.names import normal
from maildns.spf.terms import Mechanism, parse_record, spf_values
from maildns.srv import Service, client_records
from maildns.tags import mailto
from maildns.tls_rpt import tls_rpt_record


class Group(StrEnum):
    """What a record is there for. Without the first two, mail suffers."""

    RECEIVE = "receive"
    SEND = "send"
    PROTECT = "protect"
    COMFORT = "comfort"
    OWNER = "owner"


NEEDED = (Group.RECEIVE, Group.SEND)
_SERVICES = {
    Service.SUBMISSIONS: "submissions",
    Service.SUBMISSION: "submission",
    Service.IMAPS: "imaps",
    Service.IMAP: "imap",
    Service.POP3S: "pop3s",
}


@dataclass(frozen=True)
class WantedRecord:
    """Records of one name and type: what to enter, and how to judge what stands there.

    Without `records` nothing must be there any more.
    """

    group: Group
    records: tuple[Record, ...]
    check: Wanted
    key: DkimKey | None = None

    @property
    def kind(self) -> str:
        return self.check.kind


def of_domain(domain: Domain, *, spf_seen: str = "") -> list[WantedRecord]:
    """All that is wanted; `spf_seen` is the SPF record that stands there, to be merged with."""
    if domain.is_parked:
        return [*_parked(domain), *_keys(domain), *_policy(domain), *_proof(domain)]
    return [
        *_receiving(domain),
        *_sending(domain, spf_seen),
        *_protecting(domain),
        *_comfort(domain),
        *_proof(domain),
    ]


def _receiving(domain: Domain) -> Iterator[WantedRecord]:
    records = mx_records(domain.name, [domain.host.name])
    yield _exact(Group.RECEIVE, "mx", records)


def _parked(domain: Domain) -> Iterator[WantedRecord]:
    """Nobody sends to it, and whoever sends in its name is refused."""
    yield _exact(Group.RECEIVE, "null_mx", [null_mx(domain.name)])
    yield _exact(Group.SEND, "no_spf", [spf_for_parked(domain.name)], is_of_kind=is_spf)
    record = dmarc_for_parked(domain.name, rua=report_uris(domain, "dmarc"))
    yield _exact(Group.SEND, "no_dmarc", [record], is_of_kind=_begins("v=dmarc1"))


def _sending(domain: Domain, spf_seen: str) -> Iterator[WantedRecord]:
    if settings.SPF_INCLUDE:
        record = _spf(domain, spf_seen)
        wanted = Wanted(
            "spf", domain.name, "TXT", (record.value,),
            same=lambda _wanted, seen: lets_us_send(seen), is_of_kind=is_spf,
        )  # fmt: skip
        yield WantedRecord(Group.SEND, (record,), wanted)
    yield from _keys(domain)
    record = dmarc_record(domain.name, rua=report_uris(domain, "dmarc"))
    yield WantedRecord(
        Group.SEND,
        (record,),
        Wanted(
            "dmarc", record.name, "TXT", (record.value,),
            # A stricter policy, or other addresses for reports, are their owner's choice.
            same=lambda _wanted, seen: is_dmarc(seen), is_of_kind=_begins("v=dmarc1"),
        ),
    )  # fmt: skip


def _keys(domain: Domain) -> Iterator[WantedRecord]:
    for key in domain.zone.dkim_keys.exclude(gone_at__isnull=False).order_by("pk"):
        key.zone = domain.zone
        record_of_key = rotation.wanted_record(key)
        kind, name = f"dkim:{key.selector}", f"{key.selector}._domainkey.{domain.name}"
        records = (record_of_key,) if record_of_key else ()
        group = Group.SEND if key.state != DkimKey.State.RETIRED else Group.COMFORT
        yield _exact(group, kind, records, name=name, type_="TXT", key=key)


def _protecting(domain: Domain) -> Iterator[WantedRecord]:
    yield from _policy(domain)
    if uris := report_uris(domain, "tls"):
        record = tls_rpt_record(domain.name, uris)
        yield _exact(Group.PROTECT, "tls_rpt", (record,), is_of_kind=_begins("v=tlsrptv1"))


def _policy(domain: Domain) -> Iterator[WantedRecord]:
    """Of MTA-STS; a policy that is being withdrawn needs its records, too (RFC 8461, 8.3)."""
    if settings.WEB_NAME and domain.sts_mode != StsMode.OFF:
        host = policy_host_record(domain.name, settings.WEB_NAME)
        yield _exact(Group.PROTECT, "mta_sts_host", (host,))
        record = mta_sts_record(domain.name, policy_id(domain.sts_changed_at))
        yield _exact(Group.PROTECT, "mta_sts", (record,), is_of_kind=_begins("v=stsv1"))


def _comfort(domain: Domain) -> Iterator[WantedRecord]:
    """Where mail programs look for their settings by themselves."""
    offered = domain.host.client_settings
    for service, name in _SERVICES.items():
        host, port = offered.get(name, ("", 0))
        if not is_host_name(host):  # a trial offers an address
            continue
        for record in client_records(domain.name, host, [service]):
            if record.name.startswith(f"_{service}."):
                value = f"{record.value.split()[0]} 1 {port} {host}"
                yield _exact(
                    Group.COMFORT, f"srv:{service}", (Record(record.name, "SRV", value),)
                )  # fmt: skip
    if settings.WEB_NAME:
        for record in autoconfig_records(domain.name, settings.WEB_NAME):
            yield _exact(Group.COMFORT, record.name.partition(".")[0], (record,))


def _proof(domain: Domain) -> Iterator[WantedRecord]:
    if domain.proof_nonce:
        yield proof_record(domain.name, str(domain.account.uid), domain.proof_nonce)


def _exact(
    group: Group,
    kind: str,
    records: Sequence[Record],
    *,
    name: str = "",
    type_: str = "",
    key: DkimKey | None = None,
    **options: object,
) -> WantedRecord:
    first = records[0] if records else None
    check = Wanted(
        kind,
        first.name if first else name,
        first.type if first else type_,
        tuple(record.value for record in records),
        same=partial(_same, first) if first else _never,
        **options,  # type: ignore[arg-type]
    )
    return WantedRecord(group, tuple(records), check, key)


def _same(like: Record, wanted: str, seen: str) -> bool:
    return same_value(Record(like.name, like.type, wanted), seen)


def _never(_wanted: str, _seen: str) -> bool:
    return False


def _begins(version: str) -> Callable[[str], bool]:
    return lambda value: value.replace(" ", "").lower().startswith(version)


# --- SPF ----------------------------------------------------------------------------------------


def is_spf(value: str) -> bool:
    return bool(spf_values([value]))


def lets_us_send(value: str) -> bool:
    """Whether a record, taken by itself, lets our hosts send: by our include, before `all`."""
    try:
        record = parse_record(value)
    except DnsError:
        return False
    ours = normal(settings.SPF_INCLUDE)
    return any(
        mechanism.name == "include"
        and mechanism.qualifier == "+"
        and mechanism.target is not None
        and normal(mechanism.target.text) == ours
        for mechanism in record.mechanisms
        if isinstance(mechanism, Mechanism)
    )


def _spf(domain: Domain, seen: str) -> Record:
    """Ours, or the one that stands there with ours in it; a second one would void both."""
    own = spf_record(domain.name, includes=[settings.SPF_INCLUDE])
    if not seen:
        return own
    try:
        return Record(domain.name, "TXT", merge_spf(seen, settings.SPF_INCLUDE))
    except DnsError:
        return own  # what stands there is void anyway


# --- tokens -------------------------------------------------------------------------------------


def some_mx(name: str) -> Wanted:
    """A look at the MX records of a name, whatever they are."""
    return Wanted("mx", name, "MX", ())


def report_uris(domain: Domain, what: str) -> list[str]:
    """Where receivers send reports: an address of the panel, of this domain alone."""
    if not settings.REPORTS_DOMAIN:
        return []
    return [mailto(f"{what}-{_token('reports', str(domain.uid))[:16]}@{settings.REPORTS_DOMAIN}")]


def proof_record(name: str, account_uid: str, nonce: str) -> WantedRecord:
    """The TXT record that only who rules the zone can make, bound to account, domain and claim."""
    value = f"postkontor-domain-verification={_token('claim', account_uid, name, nonce)}"
    record = Record(f"_postkontor.{name}", "TXT", value)
    wanted = Wanted("proof", record.name, "TXT", (value,), mode=Mode.AMONG_OTHERS)
    return WantedRecord(Group.OWNER, (record,), wanted)


def _token(*parts: str) -> str:
    """40 hexadecimal digits that nobody can work out without the panel's key."""
    key = settings.FIELD_KEYS[-1].encode()
    return hmac.new(key, "\0".join(parts).encode(), hashlib.sha256).hexdigest()[:40]
