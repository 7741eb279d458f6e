"""What would be written, and for what somebody must say yes."""

from __future__ import annotations

import json

import pytest

from maildns.check import Mode, Wanted
from maildns.compare import same_value
from maildns.errors import BadRecord
from maildns.plan import Change, ChangeKind, Plan, Why, make_plan, questions_for
from maildns.providers.base import PresentRecord
from maildns.records import Record
from maildns.spf.build import merge_spf

ZONE = "example.com"
SPF = "v=spf1 mx -all"
OTHERS = ["google-site-verification=x", "MS=ms1", "\x00\xff \\ é"]


def held(value: str, kind: str = "TXT", name: str = ZONE, ttl: int = 600) -> PresentRecord:
    return PresentRecord(name, kind, value, ttl, f"raw {value!a}")


def spf(*values: str) -> Wanted:
    return Wanted("spf", ZONE, "TXT", values, is_of_kind=lambda text: text.startswith("v=spf1"))


def mx(*values: str) -> Wanted:
    return Wanted("mx", ZONE, "MX", values)


def the_change(wanted: Wanted, present=(), ours=()) -> Change:
    (change,) = make_plan(ZONE, [wanted], present, ours).changes
    return change


def before(change: Change) -> list[str]:
    return [each.value for each in change.before]


def after(change: Change) -> list[str]:
    return [each.value for each in change.after]


def test_what_is_missing_is_added_without_a_tick() -> None:
    change = the_change(spf(SPF), [held(value) for value in OTHERS])
    assert (change.kind, change.why, change.needs_tick) == (ChangeKind.ADD, Why.MISSING, False)
    assert (before(change), after(change)) == ([], [SPF])


def test_what_we_wrote_is_changed_without_a_tick() -> None:
    change = the_change(spf("v=spf1 -all"), [held(SPF)], [Record(ZONE, "TXT", SPF)])
    assert (change.kind, change.why, change.needs_tick) == (ChangeKind.CHANGE, Why.OUTDATED, False)


def test_what_somebody_else_wrote_is_changed_with_a_tick_only() -> None:
    change = the_change(spf("v=spf1 -all"), [held(SPF)])
    assert (change.kind, change.why, change.needs_tick) == (ChangeKind.CHANGE, Why.FOREIGN, True)


def test_what_we_wrote_and_somebody_changed_is_foreign() -> None:
    present = [held("v=spf1 mx a -all")]
    assert the_change(spf("v=spf1 -all"), present, [Record(ZONE, "TXT", SPF)]).needs_tick


def test_merged_spf_is_one_changed_value() -> None:
    merged = merge_spf("v=spf1 include:a.example ~all", "_spf.host.example")
    present = [held("v=spf1 include:a.example ~all"), *map(held, OTHERS)]
    change = the_change(spf(merged), present)
    assert before(change) == ["v=spf1 include:a.example ~all"]
    assert after(change) == ["v=spf1 include:a.example include:_spf.host.example ~all"]
    assert change.needs_tick


def test_right_value_in_another_spelling_is_left_alone() -> None:
    wanted = Record(f"_dmarc.{ZONE}", "TXT", "v=DMARC1; p=none")
    plan = make_plan(
        ZONE,
        [Wanted("dmarc", wanted.name, "TXT", (wanted.value,), same=lambda _w, seen: same_value(wanted, seen))],
        [held("v=DMARC1;p=none;", name=wanted.name)],
        (),
    )  # fmt: skip
    assert plan.changes == ()


@pytest.mark.parametrize("mode", Mode)
def test_values_of_other_kinds_are_no_part_of_a_plan(mode: Mode) -> None:
    wanted = Wanted("spf", ZONE, "TXT", (SPF,), mode, is_of_kind=lambda text: text.startswith("v="))
    change = the_change(wanted, map(held, OTHERS))
    assert before(change) == []
    assert [each.value for each in change.edit.seen] == OTHERS


def test_among_others_nothing_goes() -> None:
    wanted = Wanted("proof", ZONE, "TXT", ("token=2",), Mode.AMONG_OTHERS)
    change = the_change(wanted, [held("token=1"), held(SPF)])
    assert (before(change), after(change), change.needs_tick) == ([], ["token=2"], False)


def test_our_mx_does_not_join_somebody_elses_without_a_tick() -> None:
    change = the_change(mx("10 mx.host.example"), [held("5 old.example", "MX")])
    assert (change.kind, change.needs_tick) == (ChangeKind.CHANGE, True)


def test_mx_that_is_right_stays_where_another_goes() -> None:
    present = [held("10 a.example", "MX"), held("20 b.example", "MX")]
    change = the_change(mx("10 a.example", "30 c.example"), present)
    assert (before(change), after(change)) == (["20 b.example"], ["30 c.example"])


def test_several_of_one_kind_become_one() -> None:
    change = the_change(spf(SPF), [held("v=spf1 a -all"), held(SPF), held("v=spf1 ?all")])
    assert (change.kind, change.why, change.needs_tick) == (ChangeKind.REMOVE, Why.SEVERAL, True)
    assert before(change) == ["v=spf1 a -all", "v=spf1 ?all"]


def test_value_that_stands_there_twice_in_two_spellings_is_kept_once() -> None:
    wanted = Wanted("x", ZONE, "TXT", ("a b",), same=lambda want, seen: want == seen.lower())
    change = the_change(wanted, [held("A B"), held("a b")])
    assert (before(change), after(change)) == (["A B"], [])


def test_what_shall_go_goes_with_a_tick_if_foreign() -> None:
    assert make_plan(ZONE, [spf()], map(held, OTHERS), ()).changes == ()
    change = the_change(spf(), [held(SPF)], [Record(ZONE, "TXT", SPF)])
    assert (change.kind, change.why, change.needs_tick) == (
        ChangeKind.REMOVE,
        Why.NOT_WANTED,
        False,
    )
    assert the_change(spf(), [held(SPF)]).needs_tick


def test_alias_in_the_way_needs_a_tick() -> None:
    change = the_change(spf(SPF), [held("far.example", "CNAME")])
    assert (change.kind, change.why, change.needs_tick) == (ChangeKind.CHANGE, Why.ALIAS, True)
    assert [each.type for each in change.before] == ["CNAME"]


def test_alias_that_leads_to_what_is_wanted_is_left_where_nothing_is_missing() -> None:
    assert make_plan(ZONE, [spf()], [held("far.example", "CNAME")], ()).changes == ()


def test_all_data_is_in_the_way_of_an_alias() -> None:
    name = f"autoconfig.{ZONE}"
    wanted = Wanted("autoconfig", name, "CNAME", ("host.example",))
    kinds = [kind for at, kind in questions_for([wanted]) if at == name]
    assert kinds == ["CNAME", "A", "AAAA", "MX", "TXT"]
    change = the_change(wanted, [held("192.0.2.1", "A", name), held("x", "TXT", name)])
    assert (change.why, change.needs_tick) == (Why.ALIAS, True)
    assert [each.type for each in change.before] == ["A", "TXT"]


def test_new_value_takes_the_ttl_of_those_it_joins() -> None:
    wanted = [spf(SPF)]
    joined = make_plan(ZONE, wanted, [held("x", ttl=77)], (), ttl_seconds=300)
    alone = make_plan(ZONE, wanted, [held("v=spf1 a", ttl=77)], (), ttl_seconds=300)
    assert [each.changes[0].after[0].ttl_seconds for each in (joined, alone)] == [77, 300]


def test_key_is_that_of_the_records() -> None:
    one = the_change(spf("v=spf1 -all"), [held(SPF)])
    assert one.key == the_change(spf("v=spf1 -all"), [held(SPF)]).key
    assert one.key != the_change(spf("v=spf1 -all"), [held(SPF), held("other")]).key
    assert one.key != the_change(spf("v=spf1 ~all"), [held(SPF)]).key


def test_plan_comes_back_from_json() -> None:
    plan = make_plan(
        ZONE,
        [spf(SPF), mx("10 a.example")],
        [held("v=spf1 \x00 \\065 \\\\ ä \xff"), *map(held, OTHERS)],
        (),
    )
    text = json.dumps(plan.to_json())
    assert "u0000" not in text.replace("\\\\u0000", "")  # PostgreSQL takes none
    again = Plan.from_json(json.loads(text))
    assert again == plan
    assert [each.key for each in again.changes] == [each.key for each in plan.changes]


def test_wanted_value_that_is_none_is_refused() -> None:
    with pytest.raises(BadRecord):
        make_plan(ZONE, [mx("mx.host.example")], (), ())


def test_thousand_values_are_planned_at_once() -> None:
    present = [held(f"v=x{number}") for number in range(1000)]
    ours = [Record(ZONE, "TXT", f"v=x{number}") for number in range(1000)]
    change = the_change(Wanted("x", ZONE, "TXT", ()), present, ours)
    assert len(change.before) == 1000
    assert not change.needs_tick
