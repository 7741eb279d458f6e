"""Looks at the DNS of domains: what is kept of them, and what follows."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core import mail
from django.utils import timezone
from factories import World, actor, make_user, make_world
from zonedata import look, right_zone

from mailadmin.errors import NotFound
from mailadmin.services import wanted, zones
from maildns.models import Zone

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def _names(settings) -> None:
    settings.WEB_NAME = "panel.example.net"
    settings.SPF_INCLUDE = "_spf.example.net"
    settings.REPORTS_DOMAIN = "reports.example.net"


@pytest.fixture
def world() -> World:
    return make_world()


@pytest.fixture
def domain(world):
    return world.domain


def states(domain) -> dict[str, str]:
    return {each.kind: each.state for each in zones.report_of(domain.zone).records}


def test_zone_with_all_that_is_wanted_is_green(domain) -> None:
    data = right_zone(domain)
    look(domain, data, data)
    assert domain.zone.is_green
    assert set(states(domain).values()) == {"ok"}
    assert domain.zone.next_check_at > timezone.now()


def test_empty_zone_is_not_green_and_soon_looked_at_again(domain) -> None:
    look(domain, {domain.name: {"NS": ["ns1.dns.example"]}})
    assert domain.zone.is_green is False
    assert states(domain)["mx"] == "missing"
    assert domain.zone.next_check_at <= timezone.now() + timedelta(minutes=5)


@pytest.mark.parametrize("kind", ["mx", "spf", "dmarc", "dkim"])
def test_each_needed_record_keeps_a_zone_from_green(domain, kind) -> None:
    look(domain, right_zone(domain, without=(kind,)))
    assert domain.zone.is_green is False


@pytest.mark.parametrize("kind", ["mta_sts", "tls_rpt", "autoconfig", "srv"])
def test_records_of_comfort_do_not(domain, kind) -> None:
    look(domain, right_zone(domain, without=(kind,)))
    assert domain.zone.is_green


def test_lost_record_is_told_once_and_again_after_it_was_right(world, domain) -> None:
    make_user("alice@outside.example", world.alice, language="de")
    make_user("viewer@outside.example", world.alice, role="viewer")
    right, wrong = right_zone(domain), right_zone(domain, without=("mx",))
    look(domain, wrong)
    assert mail.outbox == []  # it never was right
    look(domain, right)
    look(domain, wrong)
    look(domain, wrong)
    (letter,) = mail.outbox
    assert letter.to == ["alice@outside.example"]
    assert "MX" in letter.body and domain.name in letter.subject
    look(domain, right)
    look(domain, wrong)
    assert len(mail.outbox) == 2


def test_f37_unreachable_is_never_missing_and_tells_nobody(world, domain) -> None:
    make_user("alice@outside.example", world.alice)
    right = right_zone(domain)
    look(domain, right, right)
    look(domain, right, right, ns1="servfail", ns2="timeout")
    assert set(states(domain).values()) == {"unreachable"}
    assert mail.outbox == []
    assert set(domain.zone.records.values_list("state", flat=True)) == {"ok"}


def test_letter_that_cannot_be_sent_is_sent_with_the_next_look(world, domain, settings) -> None:
    make_user("alice@outside.example", world.alice)
    look(domain, right_zone(domain))
    wrong = right_zone(domain, without=("spf",))
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    look(domain, wrong)
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    look(domain, wrong)
    assert len(mail.outbox) == 1


def test_spf_that_stands_there_is_merged_and_not_doubled(domain) -> None:
    data = right_zone(domain)
    data[domain.name]["TXT"] = ["v=spf1 mx include:_spf.other.example -all", "other=1"]
    look(domain, data)
    spf = next(
        each
        for each in wanted.of_domain(domain, spf_seen=zones.spf_seen(domain.zone))
        if each.kind == "spf"
    )
    value = spf.records[0].value
    assert value == "v=spf1 mx include:_spf.other.example include:_spf.example.net -all"
    assert states(domain)["spf"] == "differs"
    data[domain.name]["TXT"] = [value, "other=1"]
    look(domain, data)
    assert states(domain)["spf"] == "ok"


@pytest.mark.parametrize(
    ("value", "lets"),
    [
        ("v=spf1 include:_spf.example.net ~all", True),
        ("v=spf1 a INCLUDE:_SPF.example.net. -all", True),
        ("v=spf1 -all include:_spf.example.net", False),
        ("v=spf1 -include:_spf.example.net -all", False),
        ("v=spf1 include:_spf.example.net.evil.example -all", False),
        ("v=spf1 include:_spf.example.net bogus -all", False),
    ],
)
def test_spf_record_lets_our_hosts_send_or_not(value, lets) -> None:
    assert wanted.lets_us_send(value) is lets


def test_verdict_of_a_receiver_is_kept_for_each_address(domain) -> None:
    domain.host.addresses = ["192.0.2.25", "192.0.2.26"]
    domain.host.save()
    data = right_zone(domain)
    data["_spf.example.net"] = {"TXT": ["v=spf1 ip4:192.0.2.25 -all"]}
    look(domain, data)
    spf = domain.zone.verdicts["spf"]
    assert spf["192.0.2.25"]["result"] == "pass"
    assert spf["192.0.2.25"]["lookups_used"] == 1
    assert spf["192.0.2.26"]["result"] == "softfail"


def test_stricter_dmarc_of_the_owner_is_right(domain) -> None:
    data = right_zone(domain)
    data[f"_dmarc.{domain.name}"]["TXT"] = ["v=DMARC1; p=reject; rua=mailto:a@b.example"]
    look(domain, data)
    assert domain.zone.is_green


def test_hostile_text_is_kept_escaped(domain) -> None:
    data = right_zone(domain)
    data[domain.name]["TXT"].append("evil\x00\x1b[2J<script>")
    look(domain, data)
    assert "\x00" not in str(domain.zone.report)
    assert "\\000" in str(domain.zone.report["records"][1]["servers"][0]["seen"])


def test_one_worker_looks_at_a_zone_at_a_time(domain) -> None:
    Zone.objects.filter(pk=domain.zone_id).update(claimed_until=timezone.now() + HOUR)
    assert zones.check([domain]) == 0
    Zone.objects.filter(pk=domain.zone_id).update(claimed_until=timezone.now() - HOUR)
    look(domain, right_zone(domain))
    assert domain.zone.checked_at


def test_due_zones_are_those_whose_time_has_come(world) -> None:
    Zone.objects.update(next_check_at=timezone.now() + HOUR)
    assert zones.check_due(now=timezone.now()) == 0


def test_viewer_may_ask_for_a_look_and_a_stranger_not(world, domain) -> None:
    zones.ask_for_check(domain, by=actor(world.alice, role="viewer"))
    domain.zone.refresh_from_db()
    assert domain.zone.is_being_checked
    with pytest.raises(NotFound):
        zones.ask_for_check(domain, by=actor(world.charlie))
