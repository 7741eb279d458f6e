"""Another maker's program reads our keys: opendkim-testkey, which asks port 53 and nothing else.

So it runs in a network namespace of its own, where that port is free.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from knot import zone_text

from maildns.dkim import KeyPair, generate_ed25519_key, generate_rsa_key, key_record
from maildns.records import Record

pytestmark = pytest.mark.live

ZONE = "example.com"
SCRIPT = """
set -eu
ip link set lo up
knotd -c knot.conf >knot.log 2>&1 &
server=$!
trap 'kill $server; wait $server || true' EXIT
for try in $(seq 100); do
  kdig +short +timeout=1 @127.0.0.1 example.com SOA 2>/dev/null | grep -q . && break
  sleep 0.05
done
opendkim-testkey -x opendkim.conf -d example.com -s "$1" -k key.pem -vv
"""


def asked(folder: Path, record: Record, private_pem: str) -> subprocess.CompletedProcess[str]:
    zone = zone_text(ZONE, {}) + record.zone_line() + "\n"
    (folder / "zone").write_text(zone)
    (folder / "knot.conf").write_text(
        f"server:\n    listen: 127.0.0.1@53\n    rundir: {folder}\ndatabase:\n"
        f"    storage: {folder}\nlog:\n  - target: stdout\n    any: warning\n"
        f"zone:\n  - domain: {ZONE}\n    file: {folder}/zone\n"
    )
    (folder / "opendkim.conf").write_text("Nameservers 127.0.0.1\n")
    key = folder / "key.pem"
    key.touch(mode=0o600)
    key.write_text(private_pem)
    selector = record.name.partition(".")[0]
    return subprocess.run(
        ["/usr/bin/unshare", "-n", "/bin/sh", "-c", SCRIPT, "sh", selector],
        cwd=folder, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


def test_published_key_fits_its_private_key(tmp_path) -> None:
    pair = generate_rsa_key()
    done = asked(tmp_path, key_record(ZONE, "s202611a", pair.public_record), pair.private_pem)
    assert done.returncode == 0, done.stderr
    assert "key OK" in done.stderr or "not secure" in done.stderr


def test_key_of_somebody_else_is_told_apart(tmp_path) -> None:
    mine, other = generate_rsa_key(), generate_rsa_key()
    done = asked(tmp_path, key_record(ZONE, "s202611a", other.public_record), mine.private_pem)
    assert done.returncode != 0


@pytest.mark.parametrize("pair", [generate_ed25519_key()], ids=["ed25519"])
def test_record_of_the_newer_kind_is_read(tmp_path, pair: KeyPair) -> None:
    """It finds and parses the record, also where it cannot test the key itself."""
    done = asked(tmp_path, key_record(ZONE, "s202611b", pair.public_record), pair.private_pem)
    assert "record not found" not in done.stderr and "syntax" not in done.stderr
