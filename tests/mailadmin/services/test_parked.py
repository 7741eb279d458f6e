"""Domains without mail: their records say so, their host refuses, and addresses cannot be made."""

from __future__ import annotations

import pytest
from factories import OPERATOR, World, actor, make_mailbox, make_world
from zonedata import look, right_zone

from mailadmin.errors import DomainInUse, DomainParked, NotFound
from mailadmin.models import Address, Mailbox
from mailadmin.models.domains import StsMode
from mailadmin.models.states import State
from mailadmin.push import render
from mailadmin.services import addresses, dkim, dnsview, domains, wanted

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _names(settings) -> None:
    settings.WEB_NAME, settings.SPF_INCLUDE = "panel.example.net", "_spf.example.net"
    settings.REPORTS_DOMAIN = ""


@pytest.fixture
def world() -> World:
    """Alice's domain has no address."""
    world = make_world()
    Mailbox.objects.filter(pk=world.mailbox.pk).delete()
    Address.objects.filter(domain=world.domain).delete()
    return world


def park(world: World):
    return domains.set_parked(world.domain, True, by=actor(world.alice))


def values(domain) -> dict[str, list[str]]:
    return {
        each.kind: [record.value for record in each.records] for each in wanted.of_domain(domain)
    }


def test_records_say_that_no_mail_comes_or_goes(world) -> None:
    found = values(park(world))
    assert found["null_mx"] == ["0 ."]
    assert found["no_spf"] == ["v=spf1 -all"]
    assert found["no_dmarc"][0].startswith("v=DMARC1; p=reject;")
    # Its keys never signed: nothing needs to be voided, and what was entered may go.
    assert [each for kind, each in found.items() if kind.startswith("dkim")] == [[], []]


def test_verdict_waits_for_the_records(world) -> None:
    domain = park(world)
    look(domain, {domain.name: {"NS": ["ns1.dns.example"]}})
    view = dnsview.of_domain(domain)
    assert (view.receiving, view.sending) == ("parked_unsaid", "parked_unsaid")


def test_keys_that_signed_are_voided(world) -> None:
    key = world.domain.zone.dkim_keys.order_by("pk").first()
    dkim.switch_to_signing_by_word(world.domain, key, reason="seen", by=OPERATOR)
    assert values(park(world))[f"dkim:{key.selector}"] == ["v=DKIM1; p="]


def test_page_of_a_right_zone_is_green_without_mail(world) -> None:
    domain = park(world)
    look(domain, right_zone(domain))
    view = dnsview.of_domain(domain)
    assert (view.receiving, view.sending) == ("parked", "parked")
    assert view.right_count == len(view.needed) and domain.zone.is_green


def test_foreign_spf_is_replaced_and_not_merged(world) -> None:
    domain = park(world)
    data = right_zone(domain, without=("no_spf",))
    data[domain.name]["TXT"] = ["v=spf1 ip4:192.0.2.1 -all"]
    look(domain, data)
    spf = next(each for each in dnsview.of_domain(domain).records if each.kind == "no_spf")
    assert (spf.values, spf.state, spf.is_merged) == (("v=spf1 -all",), "differs", False)


def test_host_refuses_its_mail_and_forgets_its_keys(world) -> None:
    domain = park(world)
    assert render.domain_row(render.domains().get(pk=domain.pk))["state"] == State.OFF
    assert not any(row.get("signing") for row in render.dkim_rows(domain.zone.dkim_keys.all()))
    assert domain.sts_mode in (StsMode.NONE, StsMode.OFF)


def test_no_address_can_be_made_or_restored(world) -> None:
    box = make_mailbox(world.domain, "info")
    with pytest.raises(DomainInUse):
        park(world)
    addresses.move_to_trash(box.address, by=actor(world.alice))
    domain = park(world)
    with pytest.raises(DomainParked):
        make_mailbox(domain, "sales")
    with pytest.raises(DomainParked):
        addresses.restore(box.address, by=actor(world.alice))
    with pytest.raises(DomainParked):
        domains.set_catch_all(domain, "x@outside.example", by=actor(world.alice))
    with pytest.raises(DomainParked):
        dkim.rotate(domain, by=actor(world.alice))


def test_with_mail_again_it_has_new_keys(world) -> None:
    domain = park(world)
    domain = domains.set_parked(domain, False, by=actor(world.alice))
    keys = domain.zone.dkim_keys.order_by("pk")
    assert [key.state for key in keys] == ["retired", "retired", "staged", "staged"]
    assert values(domain)["mx"] == ["10 mail.example.net"]
    make_mailbox(domain, "info")


def test_stranger_cannot_park_it(world) -> None:
    with pytest.raises(NotFound):
        domains.set_parked(world.domain, True, by=actor(world.charlie))
    assert domains.set_parked(world.domain, True, by=OPERATOR).is_parked
