"""Writing a domain's records at a real name server: who may, what, and what is remembered."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.utils import timezone
from factories import OPERATOR, actor, make_world
from fakedns import Data
from knot import Knot, zone_text

from mailadmin.errors import BadAccess, NotAllowed, NotFound
from mailadmin.models import AuditDetail, Domain
from mailadmin.services import dkim, publishing, zones
from maildns.models import Publication, ZoneAccess
from maildns.plan import Plan

pytestmark = pytest.mark.django_db

NAME = "example.test"
SECRET = "c2VjaHplaG4gb2RlciBtZWhyIE9rdGV0dGU="
SECTIONS = (
    "key:", "  - id: panel.example", "    algorithm: hmac-sha256", f"    secret: {SECRET}",
    "acl:", "  - id: keyed", "    key: panel.example", "    action: [query, update, transfer]",
)  # fmt: skip
DATA: Data = {NAME: {"A": ["192.0.2.7"], "TXT": ["other=1"]}, f"www.{NAME}": {"A": ["192.0.2.7"]}}


@pytest.fixture
def world():
    return make_world()


@pytest.fixture
def knot(tmp_path) -> Iterator[Knot]:
    server = Knot(
        tmp_path / "knot", ["127.0.0.1"], {NAME: zone_text(NAME, DATA)},
        sections=SECTIONS, zone_lines=["acl: keyed"],
    )  # fmt: skip
    yield server
    server.stop()


@pytest.fixture
def domain(world, knot, settings) -> Domain:
    settings.WEB_NAME, settings.SPF_INCLUDE = "panel.example.net", "_spf.example.net"
    settings.REPORTS_DOMAIN = "reports.example.net"
    settings.DNS_PRIVATE_ADDRESSES = True
    settings.DNS_OVERRIDES = {NAME: (("127.0.0.1", knot.port),)}
    return world.domain


def options(port: int, **other: str) -> dict[str, str]:
    return {"server": "127.0.0.1", "port": str(port), "key_name": "panel.example", **other}


def give_access(domain, knot, by=OPERATOR, secret: str = SECRET) -> ZoneAccess:
    return publishing.save_access(domain, "rfc2136", options(knot.port), {"secret": secret}, by=by)


def published(domain, *ticked: str, by=OPERATOR) -> Publication:
    """Plan and write, as a worker does."""
    publication = publishing.start(domain, by=by)
    publishing.run(publication)
    if publication.state == "planned":
        publishing.approve(publication, ticked, by=by)
        publication.refresh_from_db()
        publishing.run(publication)
    publication.refresh_from_db()
    domain.zone.refresh_from_db()
    return publication


def test_published_zone_is_green(world, domain, knot) -> None:
    give_access(domain, knot, by=actor(world.alice))
    publication = published(domain, by=actor(world.alice))
    assert (publication.state, publication.fault_code) == ("done", "")
    assert {state for _key, state, _reason, _fact in publication.results} == {"written"}
    assert domain.zone.is_green
    assert published(domain).plan == {"zone": NAME, "changes": []}


def test_foreign_records_stay_without_a_tick(domain, tmp_path, knot) -> None:
    give_access(domain, knot)
    foreign: Data = {**DATA, NAME: {**DATA[NAME], "TXT": ["other=1", "v=spf1 mx -all"]}}
    foreign[NAME]["MX"] = ["10 mx.old.example"]
    knot.stop()
    other = Knot(
        tmp_path / "other", ["127.0.0.1"], {NAME: zone_text(NAME, foreign)}, port=knot.port,
        sections=SECTIONS, zone_lines=["acl: keyed"],
    )  # fmt: skip
    try:
        left = published(domain)
        states = {each.of: each.needs_tick for each in Plan.from_json(left.plan).changes}
        assert states["mx"] and states["spf"] and not states["dmarc"]
        assert seen(domain, "spf") == ["v=spf1 mx -all"]
        assert seen(domain, "mx") == ["10 mx.old.example"]
        keys = [each.key for each in publishing.plan_for(domain).changes]
        published(domain, *keys)
        assert seen(domain, "spf") == ["v=spf1 mx include:_spf.example.net -all"]
        assert seen(domain, "mx") == ["10 mail.example.net"]
        assert domain.zone.is_green
    finally:
        other.stop()


def seen(domain, kind: str) -> list[str]:
    (record,) = (each for each in zones.report_of(domain.zone).records if each.kind == kind)
    return [value for value in record.servers[0].seen if value != "other=1"]


def test_keys_move_on_without_a_click_once_a_person_has_published(world, domain, knot) -> None:
    give_access(domain, knot)
    assert not publishing.publish_by_itself(domain)
    published(domain)
    now = timezone.now()
    zones.check([domain], now=now + timedelta(hours=2))
    dkim.compromise(domain, reason="stolen", by=actor(world.alice))
    zones.check([domain])
    domain.zone.refresh_from_db()
    assert publishing.waits_for_us(domain)
    assert publishing.publish_by_itself(domain)
    domain.zone.refresh_from_db()
    reports = {each.kind: each.state for each in zones.report_of(domain.zone).records}
    assert {state for kind, state in reports.items() if kind.startswith("dkim")} == {"ok"}
    assert not publishing.publish_by_itself(domain)


def test_records_a_person_took_away_are_not_written_again_by_ourselves(domain, knot) -> None:
    kept = give_access(domain, knot)
    kept.used_at = timezone.now()
    kept.save()
    assert publishing.publish_by_itself(domain)
    kinds = {each.of for each in publishing.plan_for(domain).changes}
    assert "mx" in kinds and "spf" in kinds and not any(kind.startswith("dkim") for kind in kinds)


@pytest.mark.parametrize(
    ("change", "code"),
    [({"key_name": "nobody.example"}, "bad_key"), ({"port": "1"}, "refused")],
)
def test_f38_publication_that_fails_says_why_and_can_be_repeated(
    domain, knot, change, code
) -> None:
    publishing.save_access(
        domain, "rfc2136", {**options(knot.port), **change}, {"secret": SECRET}, by=OPERATOR
    )
    failed = published(domain)
    assert (failed.state, failed.fault_code) == ("failed", code)
    give_access(domain, knot)
    assert published(domain).state == "done"


def test_publication_of_a_dead_worker_is_taken_up(domain, knot) -> None:
    give_access(domain, knot)
    publication = publishing.start(domain, by=OPERATOR)
    Publication.objects.update(asked_at=timezone.now() - timedelta(minutes=1))
    publishing.run_waiting()
    publication.refresh_from_db()
    assert publication.state == "planned"
    publishing.approve(publication, [], by=OPERATOR)
    Publication.objects.update(asked_at=timezone.now() - timedelta(minutes=11))
    publishing.run_waiting()
    publication.refresh_from_db()
    assert (publication.state, publication.fault_code) == ("failed", "worker_lost")


@pytest.mark.parametrize(
    ("change", "secret", "option"),
    [
        ({"server": "ns.example.net"}, SECRET, "server"),
        ({"port": "0"}, SECRET, "port"),
        ({"key_name": ""}, SECRET, "name"),
        ({"algorithm": "hmac-md5"}, SECRET, "algorithm"),
        ({}, "kein base64!", "secret"),
        ({}, "AAAA", "secret"),
    ],
)
def test_access_that_cannot_be_is_refused(domain, knot, change, secret, option) -> None:
    with pytest.raises(BadAccess) as refused:
        publishing.save_access(
            domain, "rfc2136", {**options(knot.port), **change}, {"secret": secret}, by=OPERATOR
        )
    assert refused.value.option == option


@pytest.mark.parametrize("server", ["127.0.0.1", "10.0.0.1", "::1", "169.254.169.254"])
def test_case_067_private_servers_are_not_written_to(domain, knot, settings, server) -> None:
    settings.DNS_PRIVATE_ADDRESSES = False
    with pytest.raises(BadAccess):
        publishing.save_access(
            domain, "rfc2136", options(53, server=server), {"secret": SECRET}, by=OPERATOR
        )


def test_case_067_customer_names_no_server_of_an_interface(world, domain) -> None:
    with pytest.raises(BadAccess):
        publishing.save_access(
            domain, "powerdns", {"pdns_server": "http://127.0.0.1:1"}, {"auth_token": "x"},
            by=actor(world.alice),
        )  # fmt: skip


def test_secret_is_sealed_kept_when_left_empty_and_in_no_audit(domain, knot) -> None:
    first = give_access(domain, knot)
    assert SECRET not in first.secrets_sealed and SECRET not in str(first.options)
    give_access(domain, knot, secret="")
    assert published(domain).state == "done"
    assert not any(SECRET in str(each.after) for each in AuditDetail.objects.all())


def test_strangers_and_viewers_publish_nothing(world, domain, knot) -> None:
    give_access(domain, knot)
    for by, error in (
        (actor(world.charlie), NotFound),
        (actor(world.alice, role="viewer"), NotAllowed),
    ):
        with pytest.raises(error):
            publishing.start(domain, by=by)
        with pytest.raises(error):
            give_access(domain, knot, by=by)
        with pytest.raises(error):
            publishing.remove_access(domain, by=by)
