"""Pages over HTTP: what each shows, and that strangers get nothing."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from factories import PASSWORD, make_alias, make_forward, make_user, make_world

from mailadmin.models import Address, AuditEvent, DomainClaim, Mailbox, User
from maildns.models import Publication

pytestmark = pytest.mark.django_db


@pytest.fixture
def world():
    return make_world()


@pytest.fixture
def alice(world, client) -> Client:
    client.force_login(make_user("alice@customer.example", world.alice, name="Alice"))
    return client


def wizard(client: Client, **fields: str):
    data = {
        "local_part": "neu",
        "domain": "example.test",
        "kind": "mailbox",
        "targets": "",
        **fields,
    }
    return client.post("/mailboxes/new/", data)


def test_wizard_makes_a_mailbox_in_three_steps(alice) -> None:
    assert wizard(alice).url == "/mailboxes/new/person/"
    answer = alice.post(
        "/mailboxes/new/person/", {"password": PASSWORD, "name": "", "quota_mib": "50"}
    )
    assert answer.url == "/mailboxes/new/review/"
    assert PASSWORD not in alice.get("/mailboxes/new/review/").content.decode()
    answer = alice.post("/mailboxes/new/review/")
    mailbox = Mailbox.objects.get(address__local_part="neu")
    assert answer.url == f"/mailboxes/{mailbox.address.uid}/"
    assert mailbox.quota_mib == 50
    page = alice.get(answer.url).content.decode()
    assert "neu@example.test" in page and "Saved" in page


def test_wizard_accepts_the_whole_address(alice) -> None:
    wizard(alice, local_part="Neu@Example.test")
    assert "neu@example.test" in alice.get("/mailboxes/new/person/").content.decode()


def test_wizard_draft_survives_a_lost_session_without_the_password(alice, world) -> None:
    wizard(alice)
    alice.post("/mailboxes/new/person/", {"password": PASSWORD, "name": "Neu", "quota_mib": "50"})
    draft = alice.cookies["wizard"].value
    alice.logout()
    alice.force_login(User.objects.get())
    alice.cookies["wizard"] = draft
    assert alice.get("/mailboxes/new/review/").url == "/mailboxes/new/person/"
    assert "Neu" in alice.get("/mailboxes/new/person/").content.decode()


def test_wizard_for_a_forward_skips_the_person(alice) -> None:
    answer = wizard(alice, kind="forward", targets="a@outside.example\nb@outside.example")
    assert answer.url == "/mailboxes/new/review/"
    alice.post("/mailboxes/new/review/")
    assert Address.objects.get(local_part="neu").targets.count() == 2


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"local_part": "müller"}, "mueller"),
        ({"local_part": "a..b"}, "dot"),
        ({"local_part": "info"}, "already exists"),
        ({"local_part": "|cmd"}, "letters"),
        ({"kind": "forward", "targets": ""}, "at least one"),
        ({"kind": "forward", "targets": "a@x.example\nb@x.example\nkaputt"}, "Line 3"),
    ],
)
def test_wizard_refuses_and_keeps_what_was_typed(alice, fields, says) -> None:
    answer = wizard(alice, **fields)
    page = answer.content.decode()
    assert answer.status_code == 422
    assert says.lower() in page.lower()
    assert fields.get("local_part", "neu") in page
    if fields.get("targets"):
        assert "kaputt" in page


def test_free_check_says_what_an_address_is_and_links_it(alice, world) -> None:
    page = alice.get("/mailboxes/new/free/", {"local_part": "info", "domain": "example.test"})
    assert f"/mailboxes/{world.mailbox.address.uid}/" in page.content.decode()
    page = alice.get("/mailboxes/new/free/", {"local_part": "frei", "domain": "example.test"})
    assert "is free" in page.content.decode()


def test_limit_is_said_before_the_form(alice, world) -> None:
    from factories import OPERATOR

    from mailadmin.services import accounts

    accounts.override_limit(world.alice, "mailboxes", 1, by=OPERATOR)
    assert "Your plan includes 1 mailbox" in alice.get("/mailboxes/new/").content.decode()


def test_weak_password_is_refused_at_its_field(alice, world) -> None:
    page = alice.post(f"/mailboxes/{world.mailbox.address.uid}/password/", {"password": "kurz"})
    assert page.status_code == 422
    assert 'aria-invalid="true"' in page.content.decode()


def test_forwarding_error_keeps_the_text(alice, world) -> None:
    typed = "a@x.example\nb@x.example\nkaputt@@"
    page = alice.post(f"/mailboxes/{world.mailbox.address.uid}/forwarding/", {"targets": typed})
    assert page.status_code == 422 and "kaputt@@" in page.content.decode()
    assert "Line 3" in page.content.decode()


def test_delete_for_ever_wants_the_address_typed(alice, world) -> None:
    uid = world.mailbox.address.uid
    alice.post(f"/addresses/{uid}/trash/")
    alice.post(f"/addresses/{uid}/delete/", {"confirm": "falsch"})
    assert Address.objects.filter(uid=uid).exists()
    alice.post(f"/addresses/{uid}/delete/", {"confirm": "info@example.test"})
    assert not Address.objects.filter(uid=uid).exists()


def test_case_059_open_redirects_are_not_followed(alice) -> None:
    for evil in ("//evil.example", "/\\evil.example", "https:evil.example", "javascript:alert(1)"):
        answer = alice.post("/preferences/theme/", {"theme": "dark", "next": evil})
        assert "evil" not in answer.url and "javascript" not in answer.url
        answer = alice.post("/i18n/setlang/", {"language": "de", "next": evil})
        assert "evil" not in answer.url


def test_case_060_stored_markup_is_shown_as_text(alice, world) -> None:
    alice.post(
        f"/mailboxes/{world.mailbox.address.uid}/name/", {"name": "<script>alert(1)</script>"}
    )
    page = alice.get(f"/mailboxes/{world.mailbox.address.uid}/").content.decode()
    assert "<script>alert" not in page and "&lt;script&gt;" in page


def test_case_058_061_headers_stand_on_every_answer(client) -> None:
    for path in ("/accounts/login/", "/does-not-exist/", "/healthz"):
        headers = client.get(path).headers
        assert headers["X-Frame-Options"] == "DENY"
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cache-Control"] == "no-store" or "no-store" in headers["Cache-Control"]


def test_case_057_posts_without_a_token_are_refused(world) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(make_user("alice@customer.example", world.alice))
    answer = strict.post(f"/addresses/{world.mailbox.address.uid}/trash/")
    assert answer.status_code == 403
    assert not Address.objects.get(pk=world.mailbox.pk).is_in_trash


def test_case_065_log_in_and_reset_tell_nobody_who_exists(client, world, mailoutbox) -> None:
    make_user("alice@customer.example", world.alice)
    texts = []
    for email in ("alice@customer.example", "niemand@customer.example"):
        page = client.post("/accounts/login/", {"login": email, "password": "falsch-falsch"})
        texts.append((page.status_code, page.content.decode().replace(email, "")))
    assert texts[0][0] == texts[1][0]
    answers = [
        client.post("/accounts/password/reset/", {"email": email}).url
        for email in ("alice@customer.example", "niemand@customer.example")
    ]
    assert answers[0] == answers[1]


def test_case_064_reset_link_never_comes_from_the_request(
    client, world, mailoutbox, settings
) -> None:
    settings.ALLOWED_HOSTS = ["*"]
    make_user("alice@customer.example", world.alice)
    client.post(
        "/accounts/password/reset/", {"email": "alice@customer.example"}, HTTP_HOST="evil.example"
    )
    assert settings.PUBLIC_URL in mailoutbox[0].body and "evil" not in mailoutbox[0].body


def test_case_090_demo_log_in_is_refused_outside_a_trial(client, world, settings) -> None:
    make_user("demo@customer.example", world.alice, is_demo=True)
    data = {"login": "demo@customer.example", "password": PASSWORD}
    settings.TRIAL = False
    client.post("/accounts/login/", data)
    assert client.get("/mailboxes/").status_code == 302
    settings.TRIAL = True
    client.post("/accounts/login/", data)
    assert client.get("/mailboxes/").status_code == 200


def test_nobody_signs_up(client) -> None:
    assert client.get("/accounts/signup/").status_code == 404


def names() -> list[tuple[str, URLPattern]]:
    found = []

    def walk(patterns, prefix: str) -> None:
        for each in patterns:
            if isinstance(each, URLResolver):
                walk(each.url_patterns, prefix + str(each.pattern))
            else:
                found.append((prefix + str(each.pattern), each))

    walk(get_resolver().url_patterns, "")
    return [(path, each) for path, each in found if not path.startswith(("admin/", "i18n/"))]


OPEN = {"healthz", "theme", "technician"}
# What each page answers to somebody who may not: the expected answers are written by hand.
LOGGED_IN_ONLY = {
    "dashboard", "domains", "domain", "domain_catch_all", "domain_state", "domain_parked", "mailbox_sent", "mailbox_stop", "mailbox_lift", "mailboxes", "mailbox_new",
    "address_free", "mailbox_new_person", "mailbox_new_review", "mailbox_new_cancel", "mailbox",
    "mailbox_password", "mailbox_quota", "mailbox_name", "mailbox_forwarding", "address_state",
    "address_trash", "address_restore", "address_delete", "address_status", "aliases", "alias_new",
    "alias", "forwards", "forward_new", "forward", "trash", "audit", "domain_status",
    "domain_delete", "domain_restore", "domain_dns", "domain_dns_records", "domain_dns_check",
    "domain_dns_text", "domain_dns_zone", "domain_dns_link", "domain_dns_keys", "domain_dns_sts",
    "claim_new", "claim", "claim_proof", "claim_check", "claim_withdraw",
    "domain_dns_access", "domain_dns_access_forget", "domain_dns_publish", "domain_dns_plan",
    "domain_dns_plan_part", "domain_dns_write", "domain_takeover", "domain_takeover_part",
    "domain_takeover_read", "domain_takeover_where",
    "host", "host_readiness", "host_check", "host_ptr", "host_reverse",
}  # fmt: skip


def test_case_011_every_route_is_known_to_this_test() -> None:
    unknown = (
        {each.name for _path, each in names() if not str(each.name).startswith("account_")}
        - OPEN
        - LOGGED_IN_ONLY
    )
    assert unknown == set()


@pytest.mark.parametrize("method", ["get", "post"])
def test_case_011_anonymous_is_led_to_the_log_in(client, world, method) -> None:
    for path, each in names():
        if each.name in LOGGED_IN_ONLY:
            answer = getattr(client, method)(
                "/" + fill(path, world.mailbox.address.uid, "example.test")
            )
            assert answer.status_code == 302 and "/accounts/login/" in answer.url, path


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("who", ["stranger", "stranger's reseller", "suspended", "nobody"])
def test_case_001_foreign_and_absent_are_the_same_answer(client, world, method, who) -> None:
    make_alias(world.mailbox)
    make_forward(world.domain)
    user = {
        "stranger": lambda: make_user("charlie@x.example", world.charlie),
        "stranger's reseller": lambda: make_user("rita@x.example", world.charlie.parent),
        "suspended": lambda: make_user("off@x.example", world.alice, is_active=True),
        "nobody": lambda: make_user("nobody@x.example"),
    }[who]()
    client.force_login(user)
    if who == "suspended":
        user.is_active = False
        user.save()
    events = AuditEvent.objects.count()
    claim = DomainClaim.objects.create(name="neu.test", account=world.alice)
    uids = [str(address.uid) for address in Address.objects.filter(domain=world.domain)]
    uids += [str(claim.uid), str(world.domain.host.uid)]
    uids.append(str(Publication.objects.create(zone=world.domain.zone).uid))
    for path, each in names():
        if each.name not in LOGGED_IN_ONLY or "<" not in path:
            continue
        absent = answer_of(
            client, method, fill(path, "00000000-0000-4000-8000-000000000000", "absent.test")
        )
        for uid in uids:
            foreign = answer_of(client, method, fill(path, uid, "example.test"))
            assert foreign == absent, path
            assert foreign[0] in (302, 403, 404, 405), path
    assert AuditEvent.objects.count() == events


def fill(path: str, uid: object, name: str) -> str:
    return path.replace("<uuid:uid>", str(uid)).replace("<str:name>", name)


def answer_of(client: Client, method: str, path: str) -> tuple[int, str]:
    answer = getattr(client, method)("/" + path)
    where = getattr(answer, "url", "").split("?")[0]
    return answer.status_code, where


def test_lists_ask_the_same_number_of_queries_at_any_length(
    alice, world, django_assert_max_num_queries
) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext
    from factories import make_mailbox

    def queries(path: str) -> int:
        with CaptureQueriesContext(connection) as captured:
            assert alice.get(path).status_code == 200
        return len(captured)

    paths = ("/mailboxes/", "/aliases/", "/forwards/", "/domains/", "/audit/", "/")
    make_alias(world.mailbox, "a0")
    make_forward(world.domain, "f0")
    before = [queries(path) for path in paths]
    for number in range(1, 6):
        make_alias(make_mailbox(world.domain, f"m{number}", quota_mib=1), f"a{number}")
        make_forward(world.domain, f"f{number}")
    assert [queries(path) for path in paths] == before
