"""`make bench`: figures and ratios with their conditions, as a table and var/bench/latest.json."""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(CHECKOUT / "tests" / name) for name in ("", "live", "bench")]
sys.path[:0] = [str(CHECKOUT), str(CHECKOUT / "dns")]

import dnschecks  # noqa: E402
from trial import Panel, Trial  # noqa: E402

PASSWORD = "blau-Segel-27-Ofen"
SAMPLES = int(os.environ.get("BENCH_SAMPLES", "200"))
LARGE = int(os.environ.get("BENCH_MAILBOXES", "100000"))
SMALL = 1000
NAMES = [
    "click_to_live_p50_ms_1k",
    "click_to_live_p50_ms_100k",
    "click_to_live_p99_ms_100k",
    "click_to_live_ratio_100k_to_1k",
    "click_to_live_over_floor",
    "floor_p50_ms",
    "post_p50_ms",
    "bulk_apply_rows_per_s",
]
DNS_NAMES = ["dns_domains_per_second", "dns_queries_per_domain", "dns_check_memory_growth_mib"]
GOALS = {
    "click_to_live_p50_ms_100k": 150,
    "click_to_live_p99_ms_100k": 500,
    "click_to_live_ratio_100k_to_1k": 1.2,
    "click_to_live_over_floor": 3,
    "dns_domains_per_second": 100,
    "dns_queries_per_domain": 30,
    # Flat over 10,000 domains.
    "dns_check_memory_growth_mib": 5,
}
AT_LEAST = ("dns_domains_per_second",)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=[*NAMES, *DNS_NAMES])
    only = parser.parse_args().only
    if only in DNS_NAMES:
        report(dnschecks.measure(), only)
        return
    dns = {} if only else dnschecks.measure()
    state = Path(f"/var/lib/postkontor/bench-{os.getpid()}")
    trial = Trial(state)
    try:
        trial.start()
        figures = measure(trial, only)
    finally:
        trial.stop()
        shutil.rmtree(state, ignore_errors=True)
        state.with_suffix(".out").unlink(missing_ok=True)
    report({**figures, **dns}, only)


def measure(trial: Trial, only: str | None) -> dict[str, float]:
    os.environ |= trial.panel_environment() | {
        "DJANGO_SETTINGS_MODULE": "panel.settings",
        "POSTKONTOR_STATE": str(trial.state),
    }
    import django

    django.setup()
    from floor import Floor

    figures: dict[str, float] = {}
    alice = trial.panel("customer")
    lift_limits()
    large_only = only in (
        "click_to_live_p50_ms_100k",
        "click_to_live_p99_ms_100k",
        "bulk_apply_rows_per_s",
    )
    if not large_only:
        fill(SMALL)
        with tempfile.TemporaryDirectory() as folder:
            floor = Floor(trial.state, trial.ports, Path(folder))
            try:
                small, _posts, _floors = changes(alice, "klein", SAMPLES, floor)
            finally:
                floor.close()
        figures["click_to_live_p50_ms_1k"] = statistics.median(small)
    if only == "click_to_live_p50_ms_1k":
        return figures
    begun = time.monotonic()
    added = fill(LARGE)
    figures["bulk_apply_rows_per_s"] = added / (time.monotonic() - begun)
    with tempfile.TemporaryDirectory() as folder:
        floor = Floor(trial.state, trial.ports, Path(folder))
        try:
            times, posts, floors = changes(alice, "gross", SAMPLES, floor)
        finally:
            floor.close()
    p50 = statistics.median(times)
    figures["click_to_live_p50_ms_100k"] = p50
    figures["click_to_live_p99_ms_100k"] = percentile(times, 99)
    figures["floor_p50_ms"] = statistics.median(floors)
    figures["click_to_live_over_floor"] = p50 / figures["floor_p50_ms"]
    figures["post_p50_ms"] = statistics.median(posts)
    if "click_to_live_p50_ms_1k" in figures:
        figures["click_to_live_ratio_100k_to_1k"] = p50 / figures["click_to_live_p50_ms_1k"]
    return figures


def lift_limits() -> None:
    """The bench's customer may have as many mailboxes as it takes."""
    from mailadmin.actors import operator_by_command
    from mailadmin.models import Account
    from mailadmin.services import accounts

    for account in Account.objects.filter(kind__in=("reseller", "customer")).order_by("parent_id"):
        for what in ("mailboxes", "quota_mib"):
            accounts.override_limit(
                account, what, None if account.is_reseller else 10**9, by=operator_by_command()
            )


def fill(total: int) -> int:
    """Have the panel and the host hold `total` mailboxes, with given hashes, by bulk rows."""
    from django.core.management import call_command
    from django.db import transaction

    from mailadmin import passwords
    from mailadmin.actors import operator_by_command
    from mailadmin.models import Address, Credential, Domain, Mailbox
    from mailadmin.push import hostrows

    by, domain = operator_by_command(), Domain.objects.get(name="example.test")
    hashed = passwords.hash_password(PASSWORD)
    first = Address.objects.count()
    for start in range(first, total, 1000):
        numbers = range(start, min(start + 1000, total))
        with transaction.atomic():
            made = Address.objects.bulk_create(
                [Address(domain=domain, local_part=f"bulk{n}", kind="mailbox") for n in numbers]
            )
            Mailbox.objects.bulk_create([Mailbox(address=each, quota_mib=10) for each in made])
            Credential.objects.bulk_create(
                [Credential(mailbox_id=each.pk, hash=hashed) for each in made]
            )
            hostrows.touch(*made, by=by, bulk=True)
    call_command("wait_until_even", seconds=600)
    return total - first


def changes(
    alice: Panel, name: str, count: int, floor: Any
) -> tuple[list[float], list[float], list[float]]:
    """Create mailboxes one after the other by the pages; return ms to live, of the POST, of the floor.

    From the answer to the last POST, as the client has it, to `live` in the database.
    """
    from mailadmin.models import HostRow

    times, posts, floors = [], [], []
    for number in range(count):
        alice.post(
            "/mailboxes/new/",
            local_part=f"{name}{number}",
            domain="example.test",
            kind="mailbox",
            targets="",
        )
        alice.post("/mailboxes/new/person/", password=PASSWORD, name="", quota_mib="10")
        begun = time.time()
        answered, uid = last_post(alice)
        posts.append((answered - begun) * 1000)
        while True:
            row = HostRow.objects.filter(kind="address", key=str(key_of(uid))).first()
            if row is not None and row.is_live:
                break
            assert time.time() - answered < 30, "not live within 30 s"
            time.sleep(0.004)
        times.append(max(0.0, (row.proved_at.timestamp() - answered) * 1000))
        if floor is not None:
            floors.append(floor.run())
    return times, posts, floors


def last_post(alice: Panel) -> tuple[float, str]:
    """The POST that creates: its answer is the redirect, not the page behind it."""
    import http.client
    import urllib.parse

    token = next(c.value for c in alice.cookies if c.name == "csrf")
    cookies = "; ".join(f"{c.name}={c.value}" for c in alice.cookies)
    link = http.client.HTTPConnection(alice.url.removeprefix("http://"), timeout=30)
    link.request(
        "POST", "/mailboxes/new/review/", urllib.parse.urlencode({"csrfmiddlewaretoken": token}),
        {"Cookie": cookies, "Content-Type": "application/x-www-form-urlencoded"},
    )  # fmt: skip
    answer = link.getresponse()
    answered = time.time()
    answer.read()
    link.close()
    assert answer.status == 302, answer.status
    return answered, answer.headers["Location"].strip("/").split("/")[-1]


def key_of(uid: str) -> int:
    from mailadmin.models import Address

    return Address.objects.values_list("pk", flat=True).get(uid=uid)


def percentile(values: list[float], share: int) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[share - 1]


def report(figures: dict[str, float], only: str | None) -> None:
    machine = f"{os.cpu_count()} cores, {platform.machine()}"
    conditions = (
        f"{machine} cores, trial on SQLite, all on one machine; "
        f"{SAMPLES} mailboxes one after the other by the pages; host holds {LARGE} (1k: {SMALL}) mailboxes"
    )
    rows = []
    for name in [*NAMES, *DNS_NAMES]:
        if name in figures and only in (None, name):
            value, goal = figures[name], GOALS.get(name)
            rows.append({
                "name": name, "value": round(value, 3), "unit": unit_of(name), "goal": goal,
                "holds": holds(name, value),
                "conditions": f"{machine}; {dnschecks.CONDITIONS}"
                if name in DNS_NAMES
                else conditions,
            })  # fmt: skip
    width = max(len(row["name"]) for row in rows)
    for row in rows:
        verdict = {True: "holds", False: "MISSED", None: ""}[row["holds"]]
        goal = "" if row["goal"] is None else f"goal {row['goal']}"
        print(
            f"{row['name']:<{width}}  {row['value']:>10.2f} {row['unit']:<7} {goal:<10} {verdict}"
        )
    for text in dict.fromkeys(row["conditions"] for row in rows):
        print(text)
    folder = CHECKOUT / "var" / "bench"
    folder.resolve().mkdir(parents=True, exist_ok=True)  # var/ may link to a state that is gone
    (folder / "latest.json").write_text(json.dumps(rows, indent=2) + "\n")


def holds(name: str, value: float) -> bool | None:
    goal = GOALS.get(name)
    if goal is None:
        return None
    return value >= goal if name in AT_LEAST else value <= goal


def unit_of(name: str) -> str:
    if name in DNS_NAMES:
        units = {"second": "domains/s", "domain": "queries", "mib": "MiB"}
        return units[name.rpartition("_")[2]]
    if "_ms" in name:
        return "ms"
    return "rows/s" if name.endswith("per_s") else "ratio"


if __name__ == "__main__":
    main()
