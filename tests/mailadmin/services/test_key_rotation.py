"""DKIM keys moved by what the name servers show, with a clock that is an argument."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core import mail
from django.utils import timezone
from factories import OPERATOR, World, actor, make_user, make_world
from zonedata import look, right_zone

from mailadmin.errors import NotFound, ReasonMissing
from mailadmin.models import AuditEvent, HostRow
from mailadmin.push import render
from mailadmin.services import dkim
from maildns.models import DkimKey

pytestmark = pytest.mark.django_db

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@pytest.fixture(autouse=True)
def _names(settings) -> None:
    settings.WEB_NAME, settings.REPORTS_DOMAIN = "panel.example.net", ""
    settings.SPF_INCLUDE = "_spf.example.net"


@pytest.fixture
def world() -> World:
    return make_world()


@pytest.fixture
def domain(world):
    return world.domain


def states(domain) -> dict[str, str]:
    return {key.selector[-1] + key.algorithm[0]: key.state for key in keys(domain)}


def keys(domain) -> list[DkimKey]:
    return list(domain.zone.dkim_keys.order_by("pk"))


def signing_on_the_host(domain) -> list[str]:
    return [
        row["selector"] for row in render.dkim_rows(domain.zone.dkim_keys.all()) if row["signing"]
    ]


def signing_domain(domain, now):
    """A domain whose first keys sign; returns the time since when they do."""
    look(domain, right_zone(domain, without=("dkim",)), now=now)
    look(domain, right_zone(domain), now=now + MINUTE)
    look(domain, right_zone(domain), now=now + 3 * MINUTE)
    assert set(states(domain).values()) == {"signing"}
    return now + 3 * MINUTE


def test_key_signs_only_after_the_old_negative_ttl(domain) -> None:
    now = timezone.now()
    look(domain, right_zone(domain, without=("dkim",)), now=now)
    assert states(domain) == {"ar": "staged", "be": "staged"}
    look(domain, right_zone(domain), now=now + MINUTE)
    assert states(domain) == {"ar": "published", "be": "published"}
    assert signing_on_the_host(domain) == []
    # The zone has a negative TTL of 60 s: the look after it is planned for just then.
    assert domain.zone.next_check_at == now + 2 * MINUTE + timedelta(seconds=1)
    look(domain, right_zone(domain), now=now + 2 * MINUTE - timedelta(seconds=1))
    assert signing_on_the_host(domain) == []
    look(domain, right_zone(domain), now=now + 2 * MINUTE + timedelta(seconds=1))
    assert len(signing_on_the_host(domain)) == 2
    assert AuditEvent.objects.filter(code="dkim.signing").count() == 2


def test_key_that_was_never_missing_waits_an_hour(domain) -> None:
    now = timezone.now()
    look(domain, right_zone(domain), now=now)
    look(domain, right_zone(domain), now=now + 59 * MINUTE)
    assert set(states(domain).values()) == {"published"}
    look(domain, right_zone(domain), now=now + 61 * MINUTE)
    assert set(states(domain).values()) == {"signing"}


def test_key_missing_at_one_of_two_servers_does_not_sign(domain) -> None:
    now = timezone.now()
    for minutes in (0, 90, 180):
        look(
            domain, right_zone(domain), right_zone(domain, without=("dkim",)),
            now=now + minutes * MINUTE,
        )  # fmt: skip
    assert set(states(domain).values()) == {"staged"}


def test_record_that_vanishes_again_begins_anew(domain) -> None:
    now = timezone.now()
    look(domain, right_zone(domain), now=now)
    look(domain, right_zone(domain, without=("dkim",)), now=now + 30 * MINUTE)
    assert set(states(domain).values()) == {"staged"}
    look(domain, right_zone(domain), now=now + 70 * MINUTE)
    assert set(states(domain).values()) == {"published"}


def test_other_key_at_the_name_is_not_ours(domain) -> None:
    now = timezone.now()
    data = right_zone(domain)
    name = f"{keys(domain)[0].selector}._domainkey.{domain.name}"
    data[name]["TXT"] = [keys(domain)[1].public_record]
    for hours in (0, 2):
        look(domain, data, now=now + hours * HOUR)
    assert states(domain) == {"ar": "staged", "be": "signing"}


@pytest.mark.parametrize("reason", ["servfail", "timeout"])
def test_f37_nothing_moves_while_a_server_does_not_answer(domain, reason) -> None:
    now = timezone.now()
    look(domain, right_zone(domain), now=now)
    right = right_zone(domain)
    look(domain, right, right, now=now + 2 * HOUR, ns2=reason)
    assert set(states(domain).values()) == {"published"}
    look(domain, right, right, now=now + 2 * HOUR + MINUTE)
    assert set(states(domain).values()) == {"signing"}


def test_rotation_runs_through_all_states(domain) -> None:
    now = signing_domain(domain, timezone.now())
    old, old_ed = keys(domain)
    assert not dkim.due_for_rotation(now=now + 181 * DAY)
    assert dkim.due_for_rotation(now=now + 183 * DAY) == [domain]
    dkim.rotate(domain, by=OPERATOR)
    assert not dkim.due_for_rotation(now=now + 183 * DAY)
    assert [key.state for key in keys(domain)] == ["signing", "signing", "staged", "staged"]
    assert signing_on_the_host(domain) == [old.selector, old_ed.selector]

    at = now + 183 * DAY
    look(domain, right_zone(domain), now=at)
    look(domain, right_zone(domain), now=at + 2 * HOUR)
    assert [key.state for key in keys(domain)] == ["retiring", "retiring", "signing", "signing"]
    assert signing_on_the_host(domain) == [key.selector for key in keys(domain)[2:]]

    # TTL 300 s and five days of queue: until then the old record is wanted as it was.
    look(domain, right_zone(domain), now=at + 2 * HOUR + 5 * DAY)
    assert keys(domain)[0].state == "retiring"
    look(domain, right_zone(domain), now=at + 3 * HOUR + 5 * DAY)
    gone = keys(domain)[0]
    assert (gone.state, gone.private_key_sealed) == ("retired", "")
    assert right_zone(domain)[f"{old.selector}._domainkey.{domain.name}"] == {
        "TXT": ["v=DKIM1; p="]
    }

    look(domain, right_zone(domain), now=at + 6 * DAY)
    assert keys(domain)[0].may_go_at is None
    look(domain, right_zone(domain), now=at + 12 * DAY)
    assert keys(domain)[0].may_go_at
    assert f"{old.selector}._domainkey.{domain.name}" not in right_zone(domain)
    look(domain, right_zone(domain), now=at + 13 * DAY)
    assert keys(domain)[0].gone_at
    assert domain.zone.is_green


def test_selector_is_never_used_again(domain) -> None:
    signing_domain(domain, timezone.now())
    dkim.compromise(domain, reason="stolen", by=OPERATOR)
    selectors = [key.selector for key in keys(domain)]
    assert len(set(selectors)) == 4


def test_second_click_makes_no_second_pair(domain) -> None:
    signing_domain(domain, timezone.now())
    assert len(dkim.rotate(domain, by=OPERATOR)) == 2
    assert dkim.rotate(domain, by=OPERATOR) == []


def test_compromised_keys_are_void_at_once(world, domain) -> None:
    signing_domain(domain, timezone.now())
    with pytest.raises(ReasonMissing):
        dkim.compromise(domain, reason=" ", by=actor(world.alice))
    with pytest.raises(NotFound):
        dkim.compromise(domain, reason="x", by=actor(world.charlie))
    dkim.compromise(domain, reason="laptop lost", by=actor(world.alice))
    old = keys(domain)[:2]
    assert all(key.state == "retired" and key.is_compromised for key in old)
    assert all(key.private_key_sealed == "" for key in old)
    assert signing_on_the_host(domain) == []
    for key in old:
        assert right_zone(domain)[f"{key.selector}._domainkey.{domain.name}"]["TXT"] == [
            "v=DKIM1; p="
        ]
        row = HostRow.objects.get(kind="dkim", key=str(key.pk))
        assert row.generation > row.applied_generation
    assert [key.state for key in keys(domain)[2:]] == ["staged", "staged"]


def test_lost_dkim_record_is_told_but_the_key_goes_on(world, domain) -> None:
    make_user("alice@outside.example", world.alice)
    now = signing_domain(domain, timezone.now())
    look(domain, right_zone(domain, without=("dkim",)), now=now + HOUR)
    assert set(states(domain).values()) == {"signing"}
    assert len(mail.outbox) == 1 and "DKIM" in mail.outbox[0].body


def test_ed25519_key_reaches_the_host_as_a_seed(domain) -> None:
    rows = {
        row["algorithm"]: row["private_key"]
        for row in render.dkim_rows(domain.zone.dkim_keys.all())
    }
    assert rows["rsa"].startswith("-----BEGIN PRIVATE KEY-----")
    assert len(rows["ed25519"]) == 44
