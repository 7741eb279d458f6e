"""One suite for all who hold zones: the fake, Knot by RFC 2136, PowerDNS through dns-lexicon."""

from __future__ import annotations

import asyncio

import pytest
from fakedns import Data
from holders import ZONE

from maildns.answers import Outcome
from maildns.check import Mode, Wanted
from maildns.errors import ProviderRefused
from maildns.plan import Plan, Why, make_plan, questions_for
from maildns.providers.base import Edit
from maildns.publish import ChangeState, PublishOutcome, publish
from maildns.records import Record

pytestmark = pytest.mark.live

SELECTOR = f"s1._domainkey.{ZONE}"
KEY = "v=DKIM1; k=rsa; p=" + "Ab/+" * 98  # longer than a string, and with slashes
NEWER = "v=DKIM1; k=rsa; p=" + "Cd/+" * 98
OLD_SPF = "v=spf1 ip4:192.0.2.0/24 mx -all"
NEW_SPF = "v=spf1 ip4:192.0.2.0/24 mx include:_spf.host.example -all"
FOREIGN = ["google-site-verification=4/b=", 'quo"te \\ and umlaut \xc3\xbc', "zebra"]
DATA: Data = {
    ZONE: {"TXT": [OLD_SPF, *FOREIGN], "MX": ["5 old.host.example", "0 older.example.com"]},
    f"www.{ZONE}": {"A": ["192.0.2.7"]},
}


def spf(value: str) -> Wanted:
    return Wanted("spf", ZONE, "TXT", (value,), is_of_kind=lambda text: text.startswith("v=spf1"))


def plan_for(holder, wanted, ours=()) -> Plan:
    present = asyncio.run(holder.provider.records(questions_for(wanted)))
    return make_plan(ZONE, wanted, present, ours)


def write(holder, wanted, ours=()) -> PublishOutcome:
    """Plan, tick everything, write; afterwards there must be nothing left to do."""
    plan = plan_for(holder, wanted, ours)
    ticked = {change.key for change in plan.changes}
    outcome = asyncio.run(
        publish(plan, ticked, holder.provider, holder.resolver, deadline_seconds=5)
    )
    assert [(each.state, each.reason) for each in outcome.results] == [
        (ChangeState.WRITTEN, "") for _change in plan.changes
    ]
    assert outcome.is_complete
    assert plan_for(holder, wanted).changes == ()
    return outcome


def shown(holder, name: str, kind: str) -> list[str]:
    async def ask() -> list[str]:
        (server,) = await holder.resolver.authoritative_servers(ZONE)
        answer = await holder.resolver.ask_server(server)(name, kind)
        assert answer.outcome is not Outcome.UNREACHABLE
        return sorted(answer.values)

    return asyncio.run(ask())


# --- reading ------------------------------------------------------------------------------------


def test_present_is_what_the_server_shows(hold) -> None:
    data: Data = {
        ZONE: {
            "TXT": [*FOREIGN, "tab\tand \x00", "x" * 600, "\xe4"],
            "MX": ["10 mx.host.example"],
            "CAA": ['0 issue "ca.example"'],
        },
        f"a.{ZONE}": {"CNAME": ["far.host.example"]},
        f"b.{ZONE}": {"CNAME": [f"near.{ZONE}"]},
        f"_imaps._tcp.{ZONE}": {"SRV": ["0 1 993 mail.host.example"]},
        f"_25._tcp.mx.{ZONE}": {"TLSA": [f"3 1 1 {'ab' * 32}"]},
        f"null.{ZONE}": {"MX": ["0 ."]},
    }
    holder = hold(data)
    questions = [(name, kind) for name, sets in data.items() for kind in sets]
    present = asyncio.run(holder.provider.records([*questions, (f"no.{ZONE}", "TXT")]))
    for name, kind in questions:
        values = sorted(each.value for each in present if each.question == (name, kind))
        assert values == shown(holder, name, kind)
    assert {each.question for each in present} == set(questions)
    assert {each.ttl_seconds for each in present} == {300}


def test_what_a_wildcard_makes_up_is_not_present(hold) -> None:
    holder = hold({f"*.{ZONE}": {"TXT": ["anything"], "MX": ["0 ."]}})
    assert shown(holder, SELECTOR, "TXT") == ["anything"]
    questions = [(SELECTOR, "TXT"), (f"x.{ZONE}", "TXT"), (f"x.{ZONE}", "MX")]
    assert asyncio.run(holder.provider.records(questions)) == ()


def test_record_is_written_where_a_wildcard_makes_one_up(hold) -> None:
    holder = hold({f"*.{ZONE}": {"TXT": ["anything"]}})
    wanted = Wanted("dmarc", f"_dmarc.{ZONE}", "TXT", ("v=DMARC1; p=none",))
    assert write(holder, [wanted]).results[0].change.why is Why.MISSING
    assert shown(holder, wanted.name, "TXT") == ["v=DMARC1; p=none"]


# --- writing ------------------------------------------------------------------------------------


def test_records_of_all_types_are_added(hold) -> None:
    holder = hold({})
    wanted = [
        Wanted("mx", ZONE, "MX", ("10 mx1.host.example", f"20 mx2.{ZONE}")),
        spf(NEW_SPF),
        Wanted("dkim", SELECTOR, "TXT", (KEY,)),
        Wanted("dmarc", f"_dmarc.{ZONE}", "TXT", ("v=DMARC1; p=none; rua=mailto:d@host.example",)),
        Wanted("autoconfig", f"autoconfig.{ZONE}", "CNAME", ("panel.host.example",)),
        Wanted("autodiscover", f"autodiscover.{ZONE}", "CNAME", (f"near.{ZONE}",)),
        Wanted("srv", f"_imaps._tcp.{ZONE}", "SRV", ("0 1 993 mail.host.example",)),
        Wanted("srv", f"_imap._tcp.{ZONE}", "SRV", ("0 0 0 .",)),
        Wanted("tlsa", f"_25._tcp.mx2.{ZONE}", "TLSA", (f"3 1 1 {'ab' * 32}",)),
        Wanted("parked", f"parked.{ZONE}", "MX", ("0 .",)),
    ]
    outcome = write(holder, wanted)
    assert {each.change.why for each in outcome.results} == {Why.MISSING}
    for each in wanted:
        assert shown(holder, each.name, each.type) == sorted(each.values)


def test_one_value_is_changed_and_others_stay(hold) -> None:
    holder = hold(DATA)
    outcome = write(holder, [spf(NEW_SPF)])
    assert shown(holder, ZONE, "TXT") == sorted([NEW_SPF, *FOREIGN])
    assert outcome.results[0].change.why is Why.FOREIGN
    write(holder, [spf("v=spf1 -all")])
    assert shown(holder, ZONE, "TXT") == sorted(["v=spf1 -all", *FOREIGN])


def test_long_key_is_replaced_and_removed(hold) -> None:
    holder = hold(DATA)
    write(holder, [Wanted("dkim", SELECTOR, "TXT", (KEY,))])
    ours = [Record(SELECTOR, "TXT", KEY)]
    outcome = write(holder, [Wanted("dkim", SELECTOR, "TXT", (NEWER,))], ours)
    assert outcome.results[0].change.why is Why.OUTDATED
    assert shown(holder, SELECTOR, "TXT") == [NEWER]
    write(holder, [Wanted("dkim", SELECTOR, "TXT", ("v=DKIM1; p=",))])
    write(holder, [Wanted("dkim", SELECTOR, "TXT", ())])
    assert shown(holder, SELECTOR, "TXT") == []


def test_mx_are_replaced(hold) -> None:
    holder = hold(DATA)
    write(holder, [Wanted("mx", ZONE, "MX", ("10 mx1.host.example", "20 mx2.host.example"))])
    assert shown(holder, ZONE, "MX") == ["10 mx1.host.example", "20 mx2.host.example"]


def test_of_several_the_right_one_stays(hold) -> None:
    holder = hold({ZONE: {"TXT": ["v=spf1 a -all", NEW_SPF, OLD_SPF, *FOREIGN]}})
    outcome = write(holder, [spf(NEW_SPF)])
    assert outcome.results[0].change.why is Why.SEVERAL
    assert shown(holder, ZONE, "TXT") == sorted([NEW_SPF, *FOREIGN])


def test_alias_in_the_way_is_replaced(hold) -> None:
    holder = hold({SELECTOR: {"CNAME": ["far.host.example"]}})
    outcome = write(holder, [Wanted("dkim", SELECTOR, "TXT", (KEY,))])
    assert outcome.results[0].change.why is Why.ALIAS
    assert shown(holder, SELECTOR, "TXT") == [KEY]
    assert shown(holder, SELECTOR, "CNAME") == []


def test_alias_takes_the_place_of_data(hold) -> None:
    name = f"autoconfig.{ZONE}"
    holder = hold({name: {"A": ["192.0.2.1", "192.0.2.2"], "TXT": ["x"]}})
    write(holder, [Wanted("autoconfig", name, "CNAME", ("panel.host.example",))])
    assert shown(holder, name, "CNAME") == ["panel.host.example"]


def test_token_is_added_among_others(hold) -> None:
    holder = hold(DATA)
    wanted = Wanted("proof", ZONE, "TXT", ("token=1",), mode=Mode.AMONG_OTHERS)
    outcome = write(holder, [wanted, spf(NEW_SPF)])
    assert [each.change.needs_tick for each in outcome.results] == [False, True]
    assert shown(holder, ZONE, "TXT") == sorted([NEW_SPF, "token=1", *FOREIGN])


def test_ttl_of_those_who_stay_is_kept(hold) -> None:
    holder = hold(DATA)
    write(holder, [spf(NEW_SPF), Wanted("dkim", SELECTOR, "TXT", (KEY,))])
    present = asyncio.run(holder.provider.records([(ZONE, "TXT")]))
    assert {each.ttl_seconds for each in present} == {300}


def test_what_changed_since_the_plan_is_not_written_over(hold) -> None:
    holder = hold(DATA)
    wanted = [spf(NEW_SPF), Wanted("dkim", SELECTOR, "TXT", (KEY,))]
    plan = plan_for(holder, wanted)
    write(holder, [spf("v=spf1 include:somebody.example -all")])
    ticked = {change.key for change in plan.changes}
    outcome = asyncio.run(publish(plan, ticked, holder.provider, holder.resolver))
    assert [(each.state, each.reason) for each in outcome.results] == [
        (ChangeState.REFUSED, "changed_meanwhile")
    ] * 2
    assert shown(holder, ZONE, "TXT") == sorted(["v=spf1 include:somebody.example -all", *FOREIGN])
    assert shown(holder, SELECTOR, "TXT") == []


@pytest.mark.parametrize("kind", ["TXT", "CNAME"])
def test_what_came_where_nothing_was_is_not_joined(hold, kind: str) -> None:
    holder = hold({})
    plan = plan_for(holder, [Wanted("x", SELECTOR, kind, ("far.host.example",))])
    write(holder, [Wanted("y", SELECTOR, kind, ("somebody.host.example",))])
    (change,) = plan.changes
    with pytest.raises(ProviderRefused) as caught:
        asyncio.run(holder.provider.apply([change.edit]))
    assert caught.value.reason == "changed_meanwhile"
    assert shown(holder, SELECTOR, kind) == ["somebody.host.example"]


@pytest.mark.parametrize(("planned", "came"), [("TXT", "CNAME"), ("CNAME", "TXT")])
def test_alias_and_data_never_come_together(hold, planned: str, came: str) -> None:
    holder = hold({})
    plan = plan_for(holder, [Wanted("x", SELECTOR, planned, ("far.host.example",))])
    write(holder, [Wanted("y", SELECTOR, came, ("somebody.host.example",))])
    outcome = asyncio.run(publish(plan, (), holder.provider, holder.resolver))
    (result,) = outcome.results
    assert result.state is ChangeState.REFUSED
    assert result.reason in ("changed_meanwhile", "rejected")  # as PowerDNS does
    present = asyncio.run(holder.provider.records([(SELECTOR, "TXT"), (SELECTOR, "CNAME")]))
    assert [(each.type, each.value) for each in present] == [(came, "somebody.host.example")]


def test_thousand_txt_stay_as_they_are(hold) -> None:
    many = [f"number={number}" for number in range(1000)]
    holder = hold({ZONE: {"TXT": [OLD_SPF, *many]}})
    write_all = [spf(NEW_SPF), Wanted("dkim", SELECTOR, "TXT", (KEY,))]
    present = asyncio.run(holder.provider.records(questions_for(write_all)))
    assert len(present) == 1001
    plan = make_plan(ZONE, write_all, present, ())
    asyncio.run(holder.provider.apply([change.edit for change in plan.changes]))
    after = asyncio.run(holder.provider.records(questions_for(write_all)))
    assert {each.value for each in after} == {NEW_SPF, KEY, *many}


def test_nothing_to_do_is_nothing_to_write(hold) -> None:
    holder = hold(DATA)
    asyncio.run(holder.provider.apply([Edit((), (), ())]))
    assert shown(holder, ZONE, "TXT") == sorted([OLD_SPF, *FOREIGN])
