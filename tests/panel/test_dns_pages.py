"""The DNS page, the technician's link, claims and policies over HTTP."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.test import Client
from django.utils import timezone
from factories import OPERATOR, make_user, make_world
from fakedns import FakeResolver
from zonedata import look, right_zone

from mailadmin.models import Domain, DomainClaim
from mailadmin.services import accounts, addresses, claims

pytestmark = pytest.mark.django_db

PAGE = "/domains/example.test/dns/"


@pytest.fixture(autouse=True)
def _names(settings) -> None:
    settings.WEB_NAME, settings.SPF_INCLUDE = "panel.example.net", "_spf.example.net"
    settings.REPORTS_DOMAIN = "reports.example.net"


@pytest.fixture
def world():
    return make_world()


@pytest.fixture
def alice(world, client) -> Client:
    client.force_login(make_user("alice@customer.example", world.alice, name="Alice"))
    return client


def text(answer) -> str:
    return answer.content.decode()


def test_first_visit_asks_for_a_look(alice, world) -> None:
    page = text(alice.get(PAGE))
    assert "Being checked" in page
    world.domain.zone.refresh_from_db()
    assert world.domain.zone.is_being_checked


def test_second_click_within_seconds_asks_nobody(alice, world) -> None:
    with time_machine.travel("2026-03-01 12:00:00Z", tick=False) as clock:
        alice.post(f"{PAGE}check/")
        world.domain.zone.refresh_from_db()
        first = world.domain.zone.asked_at
        clock.shift(2)
        alice.post(f"{PAGE}check/")
        world.domain.zone.refresh_from_db()
        assert world.domain.zone.asked_at == first
        clock.shift(2)
        alice.post(f"{PAGE}check/")
        world.domain.zone.refresh_from_db()
        assert world.domain.zone.asked_at > first


def test_page_says_what_works_and_shows_wanted_and_seen(alice, world) -> None:
    look(world.domain, right_zone(world.domain, without=("spf",)))
    page = text(alice.get(PAGE))
    assert "Receiving works." in page
    assert "Sending: risk of the spam folder." in page
    assert "v=spf1 include:_spf.example.net ~all" in page
    assert "10 mail.example.net" in page
    assert "ns1" in page


def test_hostile_text_of_a_zone_is_escaped(alice, world) -> None:
    data = right_zone(world.domain)
    data["example.test"]["TXT"] = ["v=spf1 <script>alert(1)</script>\x00 -all"]
    look(world.domain, data)
    page = text(alice.get(PAGE))
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page


def test_records_as_text_and_zone_file(alice, world) -> None:
    plain = alice.get(f"{PAGE}text/")
    assert plain["Content-Type"].startswith("text/plain")
    assert "_dmarc.example.test\nTXT\nv=DMARC1; p=none" in text(plain)
    zone = alice.get(f"{PAGE}zone/")
    assert 'filename="example.test.zone"' in zone["Content-Disposition"]
    assert "example.test. 3600 IN MX 10 mail.example.net." in text(zone)


def link_of(alice: Client) -> str:
    alice.post(f"{PAGE}link/")
    page = text(alice.get(PAGE))
    return page.split('id="technician-link">')[1].split("<")[0].partition("/records/")[2]


def test_technician_s_link_shows_the_records_without_a_log_in(alice, world, client) -> None:
    token = link_of(alice)
    stranger = Client()
    answer = stranger.get(f"/records/{token}")
    assert answer.status_code == 200
    assert answer["Referrer-Policy"] == "no-referrer" and "noindex" in answer["X-Robots-Tag"]
    assert "_domainkey" in text(answer)
    assert '<form method="post" action="/domains' not in text(answer)


def test_technician_s_link_expires_and_cannot_be_made_up(alice, world) -> None:
    token = link_of(alice)
    assert Client().get(f"/records/{token[:-3]}x/").status_code == 404
    assert Client().get("/records/abc/").status_code == 404
    with time_machine.travel(timezone.now() + timedelta(days=15)):
        assert Client().get(f"/records/{token}").status_code == 404


def test_technician_s_link_ends_when_the_domain_leaves_its_account(alice, world) -> None:
    token = link_of(alice)
    Domain.objects.filter(pk=world.domain.pk).update(account=world.charlie)
    assert Client().get(f"/records/{token}").status_code == 404


def test_claim_is_made_proved_and_becomes_a_domain(alice, world) -> None:
    for account in (world.alice, world.bob):
        accounts.override_limit(account, "domains", 5, by=OPERATOR)
    answer = alice.post("/claims/new/", {"name": "Müller-Dach.de"})
    assert answer.status_code == 302
    page = text(alice.get(answer.url))
    claim = DomainClaim.objects.get()
    assert "müller-dach.de" in page and "postkontor-domain-verification=" in page
    value = claims.proof_of(claim).records[0].value
    data = {claim.name: {"NS": ["x"]}, f"_postkontor.{claim.name}": {"TXT": [value]}}
    claims.check([claim], resolver=FakeResolver(claim.name, {"ns1": data}))
    assert alice.get(answer.url).url == f"/domains/{claim.name}/dns/"
    poll = alice.get(f"/claims/{claim.uid}/proof/?name={claim.name}")
    assert poll["HX-Redirect"] == f"/domains/{claim.name}/dns/"


def test_claim_form_says_what_is_wrong_and_keeps_what_was_typed(alice, world) -> None:
    accounts.override_limit(world.alice, "domains", 5, by=OPERATOR)
    for name in ("co.uk", "gmail.com", "kein domain", "sub.fremd.test"):
        answer = alice.post("/claims/new/", {"name": name})
        assert answer.status_code == 422
        assert name in text(answer)


def test_domain_is_deleted_only_with_its_name_typed_and_comes_back(alice, world) -> None:
    alice.post("/domains/example.test/delete/", {"confirm": "exmple.test"})
    assert Domain.objects.get(pk=world.domain.pk).deleted_at is None
    alice.post("/domains/example.test/delete/", {"confirm": "example.test"})
    assert alice.get("/domains/example.test/").status_code == 404
    assert "example.test" in text(alice.get("/domains/"))
    alice.post("/domains/example.test/restore/")
    assert alice.get("/domains/example.test/").status_code == 200


def test_policy_is_served_under_its_own_name_and_nowhere_else(client, world) -> None:
    path = "/.well-known/mta-sts.txt"
    answer = client.get(path, HTTP_HOST="mta-sts.example.test")
    assert answer.status_code == 200
    assert answer["Content-Type"] == "text/plain"
    assert text(answer).startswith("version: STSv1\r\nmode: testing\r\n")
    for host, where in (
        ("mta-sts.absent.test", path), ("mta-sts.example.test", "/"),
        ("mta-sts.example.test", "/accounts/login/"), ("MTA-STS.", path), ("mta-sts.<x>", path),
    ):  # fmt: skip
        refused = client.get(where, HTTP_HOST=host)
        assert (refused.status_code, refused.content) == (404, b"")
    assert client.post(path, HTTP_HOST="mta-sts.example.test").status_code == 404
    assert client.get(path).status_code == 404


def test_hosts_ptr_is_shown_as_the_providers_business(alice, world) -> None:
    assert 'id="record-ptr"' not in text(alice.get(PAGE))
    item = {"check": "ptr", "address": "192.0.2.1", "state": "bad", "code": "none",
            "evidence": [["ptr", "dsl-1.isp.example"]], "rfc": ""}  # fmt: skip
    world.domain.host.readiness = {"host": "m", "checked_at": "", "items": [item]}
    world.domain.host.save()
    page = text(alice.get(PAGE))
    assert "Your provider has to mend it." in page
    assert "dsl-1.isp.example" not in page


def test_domain_without_addresses_can_be_used_without_mail(alice, world) -> None:
    assert "Use without mail" not in text(alice.get("/domains/example.test/"))
    addresses.move_to_trash(world.mailbox.address, by=OPERATOR)
    assert "Use without mail" in text(alice.get("/domains/example.test/"))
    shown = text(alice.post("/domains/example.test/parked/", {"mail": "without"}, follow=True))
    assert "Being checked" in shown and "v=spf1 -all" in shown
    assert 'value="example.test"' not in text(alice.get("/mailboxes/new/"))
    shown = text(alice.post("/domains/example.test/parked/", {"mail": "with"}, follow=True))
    assert "10 mail.example.net" in shown


def test_operator_settles_a_contested_claim_in_the_administration(client, world) -> None:
    client.force_login(make_user("ada@operator.example", None, is_superuser=True, is_staff=True))
    claim = DomainClaim.objects.create(
        name="example.test", account=world.charlie, state=DomainClaim.State.CONTESTED
    )
    for account in (world.charlie, world.charlie.parent):
        accounts.override_limit(account, "domains", 5, by=OPERATOR)
    page = f"/admin/mailadmin/domainclaim/{claim.pk}/change/"
    assert "Give the domain to this account" in text(client.get(page))
    assert "Say why" in text(client.post(page, {"settle": "on", "reason": ""}))
    client.post(page, {"settle": "on", "reason": "papers"})
    assert Domain.objects.get(name="example.test").account == world.charlie
