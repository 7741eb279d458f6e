"""All records of a zone, as a name server's own checker reads them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from maildns import dkim, mta_sts
from maildns.dmarc import dmarc_record, parked_record, report_authorisation
from maildns.mx import mx_records, null_mx
from maildns.names import autoconfig_records
from maildns.records import Record, parse_zone_line
from maildns.srv import Service, client_records
from maildns.tags import mailto
from maildns.tls_rpt import tls_rpt_record

MAIL_HOST, WEB_HOST = "mail.panel.example", "web.panel.example"
# BIND's is always there; Knot's comes in another package, and is asked where it is.
CHECKERS = {"named-checkzone": ["-i", "none", "-k", "fail", "-n", "ignore"]}
if shutil.which("kzonecheck"):
    CHECKERS["kzonecheck"] = ["-o"]


def records_of(zone: str) -> list[Record]:
    return [
        *mx_records(zone, [MAIL_HOST, "mx2.panel.example"]),
        Record(zone, "TXT", "v=spf1 include:_spf.panel.example ~all"),
        dkim.key_record(zone, "s202611a", dkim.generate_rsa_key().public_record),
        dkim.key_record(zone, "s202611b", dkim.generate_ed25519_key().public_record),
        dkim.revoked_record(zone, "s202511a"),
        dmarc_record(zone, rua=[mailto("a,b!c;d@panel.example")]),
        report_authorisation(zone),
        mta_sts.mta_sts_record(zone, "20261123120000Z"),
        mta_sts.policy_host_record(zone, WEB_HOST),
        tls_rpt_record(zone, [mailto("t@panel.example")]),
        *client_records(zone, MAIL_HOST, {Service.IMAPS, Service.SUBMISSIONS, Service.AUTODISCOVER, Service.SIEVE}),
        *autoconfig_records(zone, WEB_HOST),
        Record(f"_25._tcp.mx.{zone}", "TLSA", f"3 1 1 {'0a' * 32}"),
        Record(f"quotes.{zone}", "TXT", 'a "b" \\ ; $ORIGIN ( @ % ' + "x" * 300),
    ]  # fmt: skip


def parked_records_of(zone: str) -> list[Record]:
    return [null_mx(zone), Record(zone, "TXT", "v=spf1 -all"), parked_record(zone)]


@pytest.mark.parametrize("checker", CHECKERS)
@pytest.mark.parametrize("zone", ["example.com", "xn--mller-kva.example", "a.b.c.example.org"])
def test_checker_of_a_name_server_takes_the_zone(zone: str, checker: str, tmp_path: Path) -> None:
    for records in (records_of(zone), parked_records_of(zone)):
        file = tmp_path / f"{zone}.zone"
        head = [
            f"{zone}. 3600 IN SOA ns.panel.example. hostmaster.panel.example. 1 3600 600 86400 300",
            f"{zone}. 3600 IN NS ns.panel.example.",
        ]
        file.write_text("\n".join([*head, *(record.zone_line() for record in records), ""]))
        done = subprocess.run(
            [checker, *CHECKERS[checker], zone, str(file)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_every_record_of_a_zone_reads_back() -> None:
    for record in (*records_of("xn--mller-kva.example"), *parked_records_of("example.com")):
        assert parse_zone_line(record.zone_line()) == record
