from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from maildns.answers import Outcome
from maildns.check import Mode, RecordReport, RecordState, ServerReport, Wanted, ZoneReport
from maildns.inventory import MAX_VALUE_CHARACTERS, Inventory, Seen
from maildns.takeover import (
    Change,
    KeepReason,
    StepCode,
    TakeoverPlan,
    When,
    drained_at,
    mx_seen_everywhere,
    plan_takeover,
)

ZONE = "example.com"
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
DAY = 86_400
KEY_NAME = "pk2026a._domainkey.example.com"
DMARC_NAME = "_dmarc.example.com"
GOOGLE = ("1 aspmx.l.google.com", "5 alt1.aspmx.l.google.com")


def is_spf(value: str) -> bool:
    return value.lower().split(" ")[0] == "v=spf1"


MX = Wanted("mx", ZONE, "MX", ("10 mx1.host.example", "20 mx2.host.example"))
SPF = Wanted("spf", ZONE, "TXT", ("v=spf1 include:_spf.host.example ~all",), is_of_kind=is_spf)
PROOF = Wanted("proof", ZONE, "TXT", ("postkontor=abc",), Mode.AMONG_OTHERS)
KEY = Wanted("dkim", KEY_NAME, "TXT", ("v=DKIM1; p=MIGf",))
DMARC = Wanted("dmarc", DMARC_NAME, "TXT", ("v=DMARC1; p=none",))
AUTOCONFIG = Wanted("autoconfig", "autoconfig.example.com", "CNAME", ("mail.host.example",))
IMAPS = Wanted("srv", "_imaps._tcp.example.com", "SRV", ("0 1 993 mail.host.example",))
ALL = (MX, SPF, PROOF, KEY, DMARC, AUTOCONFIG, IMAPS)


def found(name: str, rdtype: str, *values: str, ttl: int = DAY, **more) -> Seen:
    return Seen(name, rdtype, Outcome.FOUND, values, ttl, **more)


def absent(name: str, rdtype: str, ttl: int = 600) -> Seen:
    return Seen(name, rdtype, Outcome.NO_NAME, (), ttl)


def silent(name: str, rdtype: str) -> Seen:
    return Seen(name, rdtype, Outcome.UNREACHABLE, reason="timeout")


NOTHING = [absent(*each.question) for each in ALL]
FOREIGN = [
    found(ZONE, "MX", *GOOGLE),
    found(ZONE, "TXT", "v=spf1 include:_spf.google.com ~all", "google-site-verification=abc"),
]


def inventory(*seen: Seen, servers: tuple[str, ...] = ("ns1.example.net",)) -> Inventory:
    """The foreign zone, with `seen` in place of what is at these names and types."""
    at = {(each.name, each.type): each for each in [*NOTHING, *FOREIGN, *seen]}
    return Inventory(ZONE, servers, servers[:1], tuple(at.values()))


def plan(*seen: Seen, wanted: tuple[Wanted, ...] = ALL, **options) -> TakeoverPlan:
    return plan_takeover(inventory(*seen), wanted, now=NOW, **options)


def change(plan: TakeoverPlan, kind: str) -> Change:
    (only,) = [each for each in plan.changes if each.kind == kind]
    return only


def codes(plan: TakeoverPlan) -> set[str]:
    return {each.code for each in plan.findings}


# --- what changes -------------------------------------------------------------------------------


def test_foreign_domain_gets_a_whole_plan() -> None:
    made = plan()
    assert not made.is_blocked
    assert made.provider == "google"
    assert {each.kind: each.when for each in made.changes} == {
        "mx": When.SWITCH,
        "spf": When.EARLY,
        "proof": When.EARLY,
        "dkim": When.EARLY,
        "dmarc": When.EARLY,
        "autoconfig": When.SWITCH,
        "srv": When.SWITCH,
    }
    assert change(made, "mx").before == GOOGLE
    assert change(made, "mx").after == MX.values


def test_spf_of_the_old_place_stays_valid() -> None:
    spf = change(plan(), "spf")
    assert spf.before == ("v=spf1 include:_spf.google.com ~all",)
    assert spf.after == ("v=spf1 include:_spf.google.com include:_spf.host.example ~all",)


def test_proof_among_others_replaces_none_of_them() -> None:
    assert change(plan(), "proof").before == ()


def test_what_is_right_already_is_no_change() -> None:
    merged = "v=spf1 include:_spf.google.com include:_spf.host.example ~all"
    made = plan(
        found(ZONE, "MX", *MX.values),
        found(ZONE, "TXT", merged, "postkontor=abc"),
        found(KEY_NAME, "TXT", *KEY.values),
        found(DMARC_NAME, "TXT", *DMARC.values),
        found("autoconfig.example.com", "CNAME", "mail.host.example"),
        found("_imaps._tcp.example.com", "SRV", *IMAPS.values),
    )
    assert made.changes == ()
    assert "mx_is_ours" in codes(made)
    assert [each.code for each in made.steps] == [StepCode.LOWER_TTL, StepCode.PREPARE_MAILBOXES]


def test_other_dmarc_policy_is_replaced_with_the_switch() -> None:
    made = plan(found(DMARC_NAME, "TXT", "v=DMARC1; p=reject"))
    assert change(made, "dmarc").when is When.SWITCH
    assert "dmarc_enforced" in codes(made)


def test_alias_takes_the_place_of_addresses() -> None:
    made = plan(found("autoconfig.example.com", "A", "192.0.2.1"))
    assert [
        (each.type, each.before, each.after) for each in made.changes if each.kind == "autoconfig"
    ] == [
        ("A", ("192.0.2.1",), ()),
        ("CNAME", (), ("mail.host.example",)),
    ]
    assert all(each.when is When.SWITCH for each in made.changes if each.kind == "autoconfig")


def test_wildcard_is_not_what_stands_there() -> None:
    made = plan(found(KEY_NAME, "TXT", *KEY.values, is_wildcard=True))
    assert change(made, "dkim").before == ()


def test_alias_in_place_of_another_leaves_its_target_alone() -> None:
    elsewhere = ("web.old.example",)
    made = plan(
        found("autoconfig.example.com", "CNAME", *elsewhere),
        found("autoconfig.example.com", "A", "192.0.2.1", aliases=elsewhere),
    )
    assert change(made, "autoconfig").before == elsewhere
    assert "autoconfig.example.com" not in {each.name for each in made.keeps}


def test_spf_of_a_wildcard_is_not_merged() -> None:
    name = "news.example.com"
    ours = Wanted("spf", name, "TXT", SPF.values, is_of_kind=is_spf)
    made = plan(found(name, "TXT", "v=spf1 a -all", is_wildcard=True), wanted=(ours,))
    assert (change(made, "spf").before, change(made, "spf").after) == ((), SPF.values)


def test_mta_sts_waits_for_the_switch() -> None:
    ours = Wanted("mta_sts", "_mta-sts.example.com", "TXT", ("v=STSv1; id=1",))
    made = plan(absent("_mta-sts.example.com", "TXT"), wanted=(ours,))
    assert change(made, "mta_sts").when is When.SWITCH


# --- what blocks --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seen", "code"),
    [
        (silent(ZONE, "MX"), "unreachable"),
        (silent(ZONE, "TXT"), "unreachable"),
        (found(ZONE, "A", "192.0.2.1", aliases=("web.host.example",)), "alias_at_apex"),
        (found(DMARC_NAME, "TXT", "x", aliases=("dmarc.host.example",)), "alias_in_the_way"),
        (Seen(DMARC_NAME, "TXT", Outcome.NO_NAME, aliases=("gone.example",)), "alias_in_the_way"),
        (found(ZONE, "TXT", "v=spf1 a -all", "v=spf1 mx -all"), "spf_several"),
        (found(ZONE, "TXT", "v=spf1 " + "x" * MAX_VALUE_CHARACTERS), "spf_unreadable"),
        (found(ZONE, "TXT", "v=spf1 exists:%{i}\\007.example.com -all"), "spf_unreadable"),
        (
            found(
                ZONE,
                "TXT",
                "v=spf1 " + " ".join(f"include:s{n}.example.net" for n in range(10)) + " -all",
            ),
            "spf_too_many_lookups",
        ),
    ],
)
def test_what_nobody_may_guess_blocks(seen: Seen, code: str) -> None:
    made = plan(seen)
    assert made.is_blocked
    assert code in {each.code for each in made.findings if each.severity == "error"}


def test_unreachable_record_is_never_planned_as_missing() -> None:
    made = plan(silent(ZONE, "MX"), silent(ZONE, "TXT"), silent(KEY_NAME, "TXT"))
    assert {each.kind for each in made.changes}.isdisjoint({"mx", "spf", "proof", "dkim"})


def test_unreadable_mx_blocks_whoever_wants_what() -> None:
    assert plan(silent(ZONE, "MX"), wanted=(KEY,)).is_blocked


def test_silence_is_told_once() -> None:
    made = plan(silent(ZONE, "MX"), silent(KEY_NAME, "TXT"))
    assert [each.code for each in made.findings].count("unreachable") == 2


def test_name_that_was_not_asked_for_blocks() -> None:
    other = Wanted("tlsa", "_25._tcp.example.com", "TLSA", ("3 1 1 00",))
    assert plan(wanted=(other,)).is_blocked


def test_zone_that_could_not_be_read_blocks_with_one_reason() -> None:
    made = plan_takeover(Inventory(ZONE, (), (), (), "no_delegation"), ALL, now=NOW)
    assert [(each.code, each.where) for each in made.findings] == [("unreadable", "no_delegation")]
    assert made.is_blocked
    assert made.changes == ()


def test_spf_that_names_no_include_is_not_put_over_his() -> None:
    ours = Wanted("spf", ZONE, "TXT", ("v=spf1 ip4:192.0.2.1 -all",), is_of_kind=is_spf)
    made = plan(wanted=(ours,))
    assert "spf_not_mergeable" in codes(made)
    assert made.changes == ()


def test_void_spf_is_replaced_and_told() -> None:
    made = plan(found(ZONE, "TXT", "v=spf1 includ:_spf.google.com ~all"))
    assert not made.is_blocked
    assert "spf_void" in codes(made)
    assert change(made, "spf").after == SPF.values


def test_silence_elsewhere_only_warns() -> None:
    made = plan(silent("www.example.com", "A"))
    assert "unreachable" in codes(made)
    assert not made.is_blocked


@pytest.mark.parametrize(
    ("seen", "code"),
    [
        ([found(ZONE, "MX", "0 .")], "null_mx"),
        ([absent(ZONE, "MX")], "no_mx"),
        ([absent(ZONE, "MX"), found(ZONE, "A", "192.0.2.1")], "implicit_mx"),
        ([found(ZONE, "MX", "10 mx1.host.example", "20 mx.old.example")], "mx_mixed"),
        ([found("*.example.com", "MX", "10 mx.old.example")], "wildcard_mx"),
        ([found(ZONE, "DNSKEY", "257 3 13 abc")], "dnssec"),
        ([found("_mta-sts.example.com", "TXT", "v=STSv1; id=1")], "mta_sts"),
        ([found("k1._domainkey.example.com", "TXT", "v=DKIM1; p=x")], "sender"),
        ([found(ZONE, "TXT", "v=spf1 -all", left_out=900)], "left_out"),
    ],
)
def test_what_is_worth_knowing_is_told(seen: list[Seen], code: str) -> None:
    made = plan(*seen)
    assert code in codes(made)
    assert not made.is_blocked


# --- what must stay -----------------------------------------------------------------------------

STAYING = [
    (found(ZONE, "A", "192.0.2.80"), KeepReason.WEB, False),
    (found(ZONE, "AAAA", "2001:db8::80"), KeepReason.WEB, False),
    (found("www.example.com", "CNAME", "web.host.example"), KeepReason.WEB, False),
    (found(ZONE, "NS", "ns1.example.net"), KeepReason.NAME_SERVERS, False),
    (found(ZONE, "CAA", '0 issue "ca.example"'), KeepReason.CAA, False),
    (found("*.example.com", "A", "192.0.2.80"), KeepReason.WILDCARD, False),
    (found("_smtp._tls.example.com", "TXT", "v=TLSRPTv1; rua=mailto:a@b.example"), KeepReason.OTHER, False),
    (found("imap.example.com", "A", "192.0.2.25"), KeepReason.OLD_HOST, True),
    (found("autodiscover.example.com", "CNAME", "autodiscover.outlook.com"), KeepReason.OLD_CLIENTS, True),
    (found("_pop3s._tcp.example.com", "SRV", "0 1 995 pop.example.com"), KeepReason.OLD_CLIENTS, True),
    (found("google._domainkey.example.com", "TXT", "v=DKIM1; p=x"), KeepReason.OLD_SELECTOR, True),
]  # fmt: skip


@pytest.mark.parametrize(
    ("seen", "reason", "ends"), STAYING, ids=lambda each: getattr(each, "name", None)
)
def test_record_that_is_not_ours_stays(seen: Seen, reason: KeepReason, ends: bool) -> None:
    made = plan(seen)
    (keep,) = [each for each in made.keeps if (each.name, each.type) == (seen.name, seen.type)]
    assert keep.values == seen.values
    assert keep.reason is reason
    assert keep.until == (made.old_system_until if ends else None)
    assert (seen.name, seen.type) not in {(each.name, each.type) for each in made.changes}


def test_proofs_for_others_stay_and_spf_is_none() -> None:
    (text,) = [each for each in plan().keeps if each.reason is KeepReason.TEXT]
    assert text.values == ("google-site-verification=abc",)


def test_our_own_proof_is_nobody_elses() -> None:
    made = plan(found(ZONE, "TXT", "v=spf1 -all", "postkontor=abc"))
    assert KeepReason.TEXT not in {each.reason for each in made.keeps}


def test_what_changes_does_not_stay() -> None:
    made = plan(found(DMARC_NAME, "TXT", "v=DMARC1; p=reject"))
    assert DMARC_NAME not in {each.name for each in made.keeps}


def test_alias_of_the_web_is_told_once() -> None:
    made = plan(
        found("www.example.com", "CNAME", "web.host.example"),
        found("www.example.com", "A", "192.0.2.80", aliases=("web.host.example",)),
    )
    assert [each.type for each in made.keeps if each.name == "www.example.com"] == ["CNAME"]


def test_old_mail_host_of_any_name_stays() -> None:
    made = plan(
        found(ZONE, "MX", "10 kerio7.example.com"), found("kerio7.example.com", "A", "192.0.2.25")
    )
    (keep,) = [each for each in made.keeps if each.name == "kerio7.example.com"]
    assert keep.reason is KeepReason.OLD_HOST


def test_alias_found_on_the_way_to_a_key_is_what_stays() -> None:
    name = "selector1._domainkey.example.com"
    made = plan(found(name, "TXT", "v=DKIM1; p=x", aliases=("selector1-example-com.old.example",)))
    (keep,) = [each for each in made.keeps if each.name == name]
    assert (keep.type, keep.values) == ("CNAME", ("selector1-example-com.old.example",))


def test_wildcard_answers_do_not_stay_one_by_one() -> None:
    made = plan(found("imap.example.com", "A", "192.0.2.80", is_wildcard=True))
    assert "imap.example.com" not in {each.name for each in made.keeps}


# --- times --------------------------------------------------------------------------------------


def test_long_ttl_is_lowered_first_and_waited_for() -> None:
    made = plan()
    assert [(each.code, each.not_before - NOW, each.ttl_seconds) for each in made.steps] == [
        (StepCode.LOWER_TTL, timedelta(0), 300),
        (StepCode.PREPARE_MAILBOXES, timedelta(0), 0),
        (StepCode.CHANGE_EARLY, timedelta(0), 0),
        (StepCode.SWITCH_MX, timedelta(days=1), 0),
        (StepCode.WATCH, timedelta(days=1), 0),
        (StepCode.RAISE_TTL, timedelta(days=2), DAY),
        (StepCode.END_OLD_SYSTEM, timedelta(days=7), 0),
    ]
    assert made.switch_not_before == NOW + timedelta(days=1)
    assert made.old_system_until == NOW + timedelta(days=7)


def test_short_ttl_needs_no_lowering() -> None:
    made = plan(found(ZONE, "MX", *GOOGLE, ttl=300), found(ZONE, "TXT", "v=spf1 -all", ttl=300))
    assert StepCode.LOWER_TTL not in {each.code for each in made.steps}
    assert StepCode.RAISE_TTL not in {each.code for each in made.steps}
    assert made.switch_not_before == NOW + timedelta(seconds=600)  # the negative TTL of the key


def test_early_changes_are_waited_for_too() -> None:
    made = plan(found(ZONE, "MX", *GOOGLE, ttl=300), found(ZONE, "TXT", "v=spf1 -all", ttl=7200))
    assert made.switch_not_before == NOW + timedelta(hours=2)


def test_long_ttl_of_before_is_remembered() -> None:
    first = plan()
    low = found(ZONE, "MX", *GOOGLE, ttl=300)
    done = found(ZONE, "TXT", "v=spf1 include:_spf.host.example ~all", "postkontor=abc", ttl=300)
    an_hour, two_hours = NOW + timedelta(hours=1), NOW + timedelta(hours=2)
    second = plan_takeover(inventory(low, done), (MX, SPF), now=an_hour, earlier=first)
    assert second.longest_ttl_seconds == DAY
    assert second.low_since == an_hour
    assert second.switch_not_before == an_hour + timedelta(days=1)
    third = plan_takeover(inventory(low, done), (MX, SPF), now=two_hours, earlier=second)
    assert third.switch_not_before == second.switch_not_before
    late = NOW + timedelta(days=9)
    fourth = plan_takeover(inventory(low, done), (MX, SPF), now=late, earlier=third)
    assert fourth.switch_not_before == late


def test_ttl_that_rose_again_starts_anew() -> None:
    low = found(ZONE, "MX", *GOOGLE, ttl=300)
    first = plan(low)
    later = NOW + timedelta(hours=1)
    second = plan_takeover(inventory(), ALL, now=later, earlier=first)
    assert second.low_since is None
    assert second.switch_not_before == later + timedelta(days=1)


def test_old_system_lives_for_ttl_and_queue() -> None:
    assert drained_at(NOW, 3600) == NOW + timedelta(days=5, hours=1)


# --- seen everywhere ----------------------------------------------------------------------------


def report(*states: RecordState, name: str = ZONE, rdtype: str = "MX") -> ZoneReport:
    servers = tuple(ServerReport(f"ns{n}", state) for n, state in enumerate(states))
    record = RecordReport("mx", name, rdtype, MX.values, RecordState.OK, servers)
    return ZoneReport(ZONE, tuple(each.server for each in servers), (record,))


@pytest.mark.parametrize(
    ("given", "is_seen"),
    [
        (report(RecordState.OK, RecordState.OK), True),
        (report(RecordState.OK, RecordState.DIFFERS), False),
        (report(RecordState.OK, RecordState.UNREACHABLE), False),
        (report(), False),
        (report(RecordState.OK, name="sub.example.com"), False),
        (report(RecordState.OK, rdtype="TXT"), False),
        (ZoneReport(ZONE, (), (), "timeout"), False),
    ],
)
def test_mx_is_seen_only_when_every_server_shows_it(given: ZoneReport, is_seen: bool) -> None:
    assert mx_seen_everywhere(given) is is_seen


# --- storing ------------------------------------------------------------------------------------


def test_plan_survives_storing() -> None:
    first = plan(*(each for each, _reason, _ends in STAYING), silent("www.example.com", "A"))
    low = found(ZONE, "MX", *GOOGLE, ttl=300)
    for made in (first, plan(low, earlier=first)):
        text = json.dumps(made.to_json())
        assert TakeoverPlan.from_json(json.loads(text)) == made


def test_hoster_is_recognised_by_the_servers() -> None:
    servers = ("ns1085.ui-dns.com", "ns1031.ui-dns.org")
    assert plan_takeover(inventory(servers=servers), ALL, now=NOW).hoster == "ionos"
    assert plan().hoster == ""
