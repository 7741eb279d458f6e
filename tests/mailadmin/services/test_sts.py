"""MTA-STS: which policy is served, and when it may become strict."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from factories import OPERATOR, actor, make_world
from zonedata import look, right_zone

from mailadmin.errors import NotAllowed, StsNotReady
from mailadmin.services import sts

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def _names(settings) -> None:
    settings.WEB_NAME, settings.SPF_INCLUDE = "panel.example.net", "_spf.example.net"


@pytest.fixture
def world():
    return make_world()


@pytest.fixture
def domain(world):
    world.domain.host.readiness = {"items": [{"check": "certificate", "state": "ok"}]}
    world.domain.host.save()
    return world.domain


def test_new_domain_is_tested_and_not_enforced(domain) -> None:
    policy = sts.policy_for(domain.name)
    assert policy.text() == (
        "version: STSv1\r\nmode: testing\r\nmx: mail.example.net\r\nmax_age: 86400\r\n"
    )


def test_policy_of_nobody_s_domain_is_none(domain) -> None:
    assert sts.policy_for("absent.test") is None


def test_enforce_needs_seven_clean_days(domain) -> None:
    now = timezone.now()
    look(domain, right_zone(domain), now=now)
    with pytest.raises(StsNotReady):
        sts.set_mode(domain, "enforce", by=OPERATOR, now=now + 6 * DAY)
    look(domain, right_zone(domain), now=now + 6 * DAY)
    sts.set_mode(domain, "enforce", by=OPERATOR, now=now + 7 * DAY)
    assert sts.policy_for(domain.name).mode == "enforce"


@pytest.mark.parametrize("kind", ["mx", "mta_sts", "mta_sts_host"])
def test_fault_begins_the_seven_days_anew_and_silence_does_not(domain, kind) -> None:
    now = timezone.now()
    right = right_zone(domain)
    look(domain, right, now=now)
    look(domain, right, now=now + 3 * DAY, ns1="timeout")
    assert domain.sts_clean_since == now
    look(domain, right_zone(domain, without=(kind,)), now=now + 4 * DAY)
    assert domain.sts_clean_since is None


def test_f36_certificate_that_is_not_right_is_no_clean_day(domain) -> None:
    domain.host.readiness = {"items": [{"check": "certificate", "state": "bad"}]}
    domain.host.save()
    look(domain, right_zone(domain))
    assert domain.sts_clean_since is None


def test_policy_is_left_through_none(domain) -> None:
    now = timezone.now()
    look(domain, right_zone(domain), now=now)
    before = right_zone(domain)[f"_mta-sts.{domain.name}"]
    sts.set_mode(domain, "off", by=OPERATOR, now=now + timedelta(seconds=1))
    assert domain.sts_mode == "none"
    assert right_zone(domain)[f"_mta-sts.{domain.name}"] != before  # a new policy has a new id
    look(domain, right_zone(domain), now=now + DAY)
    assert domain.sts_mode == "none"
    look(domain, right_zone(domain), now=now + 15 * DAY)
    assert domain.sts_mode == "off" and sts.policy_for(domain.name) is None
    assert f"_mta-sts.{domain.name}" not in right_zone(domain)


def test_viewer_changes_no_policy(world, domain) -> None:
    with pytest.raises(NotAllowed):
        sts.set_mode(domain, "off", by=actor(world.alice, role="viewer"))
