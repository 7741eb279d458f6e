"""Batches: base and token, places that only one row may have, and what no batch may do."""

from __future__ import annotations

import itertools
import sqlite3
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from rowmaker import (
    HASH,
    batch,
    contents,
    domain,
    forward,
    key,
    limit_files,
    mailbox,
    position,
    positions,
    send,
    verdicts,
    without,
)  # fmt: skip


def credential(prefix: str = "", hash_: str = HASH) -> dict:
    return {"prefix": prefix, "hash": hash_, "protocols": ["imap"], "expires": None}


# --- where a batch may be put ----------------------------------------------------------------------


def test_f19_batch_that_comes_twice_has_one_effect(own_agent) -> None:
    arguments = batch(own_agent, domain(), mailbox(7, "info"), key(1))
    first = own_agent.call("apply", **arguments)
    before = contents(own_agent)
    again = own_agent.call("apply", **arguments)
    assert verdicts(again) == verdicts(first) == {"1": "ok", "7": "ok"}
    assert contents(own_agent) == before
    assert positions(own_agent) == {tuple(arguments["to"].values())}


def test_f20_older_batch_is_a_fork_that_tells_where_the_host_is(agent) -> None:
    old = batch(agent, domain())
    send(agent, domain())
    here = position(agent)
    answer = agent.call("apply", **old)
    assert (answer["code"], answer["facts"]) == ("fork", here)
    assert position(agent) == here


@pytest.mark.parametrize("field", ["epoch", "generation", "batch"])
def test_each_part_of_the_base_counts(agent, field) -> None:
    arguments = batch(agent)
    other = {"epoch": "other", "generation": arguments["base"]["generation"] + 5, "batch": "other"}
    arguments["base"] |= {field: other[field]}
    arguments["to"] |= {"epoch": arguments["base"]["epoch"], "generation": 10**6}
    assert agent.call("apply", **arguments)["code"] == "fork"


@pytest.mark.parametrize(
    "to", [{"generation": 0}, {"batch": ""}, {"epoch": "other"}, {"generation": 2**63}, {"batch": "\ud800"}]
)  # fmt: skip
def test_step_that_is_none_is_refused(agent, to) -> None:
    send(agent, domain())
    arguments = batch(agent)
    arguments["to"] |= to
    assert agent.call("apply", **arguments)["code"] == "bad_request"


def test_f21_lower_token_is_refused_also_after_a_restart(own_agent) -> None:
    send(own_agent, domain(), token=5)
    own_agent.restart()
    answer = send(own_agent, domain(2, "other.test"), token=4)
    assert (answer["code"], answer["facts"]) == ("stale_token", {"highest": 5})
    assert send(own_agent, token=5)["ok"]


def test_token_of_a_forked_panel_counts_too(own_agent) -> None:
    arguments = batch(own_agent, domain(), token=9)
    arguments["base"]["batch"] = "strange"
    assert own_agent.call("apply", **arguments)["code"] == "fork"
    assert send(own_agent, domain(), token=8)["code"] == "stale_token"


@pytest.mark.parametrize(
    "extra", [{"removal_share": 2}, {"removal_share": "all"}, {"force": True}, {"rows": {}}]
)
def test_case_081_unknown_or_strange_arguments_are_refused(agent, extra) -> None:
    assert agent.call("apply", **(batch(agent) | extra))["code"] == "bad_request"


def test_f18_two_workers_on_one_base_leave_one_of_both(own_agent) -> None:
    send(own_agent, domain())
    for number in range(2, 60, 2):
        both = [batch(own_agent, domain(n, f"d{n}.test"), mailbox(n, "x", n)) for n in (number, number + 1)]  # fmt: skip
        with ThreadPoolExecutor(2) as pool:
            answers = list(pool.map(lambda each: own_agent.call("apply", **each), both))
        assert sorted(answer.get("code", "ok") for answer in answers) == ["fork", "ok"]
        there = contents(own_agent)
        assert len(there["domains"]) == 1 + number // 2
        assert there["domains"] == there["auth domains"]
        assert len(positions(own_agent)) == 1


# --- places that only one row may have -------------------------------------------------------------


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_address_removed_and_made_anew_with_another_id(own_agent, order) -> None:
    old = mailbox(7, "info")
    send(own_agent, domain(), old)
    rows = [without(old), mailbox(8, "info")]
    assert verdicts(send(own_agent, *(rows[i] for i in order))) == {"7": "ok", "8": "ok"}
    assert contents(own_agent)["addresses"] == [(8, "info", 10)]
    assert contents(own_agent)["logins"] == [(8, "info")]


def test_two_domains_change_their_names(own_agent) -> None:
    send(own_agent, domain(1, "a.test"), domain(2, "b.test"), mailbox(7, "info", 1))
    answer = send(own_agent, domain(1, "b.test"), domain(2, "a.test"))
    assert verdicts(answer) == {"1": "ok", "2": "ok"}
    there = contents(own_agent)
    assert there["domains"] == there["auth domains"] == [(1, "b.test"), (2, "a.test")]


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_row_that_counts_on_a_refused_ones_place_is_refused_with_it(own_agent, order) -> None:
    send(own_agent, domain(), mailbox(1, "a"), mailbox(2, "b"), mailbox(3, "c"))
    rows = [
        mailbox(1, "c", credentials=[credential("x"), credential("x")]),
        mailbox(2, "a"),
        forward(9, "b"),
    ]
    answer = send(own_agent, *(rows[i] for i in order))
    assert verdicts(answer) == {"1": "bad_row", "2": "conflict", "9": "conflict"}
    assert contents(own_agent)["addresses"] == [(1, "a", 10), (2, "b", 10), (3, "c", 10)]
    assert send(own_agent, mailbox(3, "d"))["ok"], "and the next batch goes on"


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_chain_of_moves_whose_last_place_is_taken(own_agent, order) -> None:
    send(own_agent, domain(), *(mailbox(n, p) for n, p in ((1, "a"), (2, "b"), (3, "c"), (4, "d"))))
    rows = [mailbox(1, "b"), mailbox(2, "c"), mailbox(3, "d")]
    answer = send(own_agent, *(rows[i] for i in order))
    assert set(verdicts(answer).values()) == {"conflict"}
    assert [row[1] for row in contents(own_agent)["addresses"]] == ["a", "b", "c", "d"]


def test_addresses_of_a_refused_or_removed_domain_are_refused(own_agent) -> None:
    send(own_agent, domain(1, "a.test"), domain(2, "b.test"))
    answer = send(
        own_agent, mailbox(7, "info", 3), domain(3, "a.test"), without(domain(2)), forward(8, "x", 2)
    )  # fmt: skip
    assert verdicts(answer) == {"7": "unknown_domain", "3": "conflict", "2": "ok", "8": "unknown_domain"}  # fmt: skip


@pytest.mark.parametrize("name", ["9" * 5000, "07", "0", "+7", "٧"])
def test_key_that_is_no_number_of_ours_is_refused_alone(agent, name) -> None:
    answer = send(agent, domain(), {**mailbox(7, "info"), "key": name}, forward(8, "x"))
    assert sorted(verdicts(answer).values()) == ["bad_row", "ok", "ok"]


@pytest.mark.parametrize(
    "fields",
    [
        {"send_as": ["b@example.test", "a@example.test"]}, {"send_as": ["a@example.test"] * 2},
        {"credentials": [credential("b"), credential("a")]}, {"credentials": [credential(), credential()]},
        {"domain_id": 0}, {"local_part": "a\ud800"}, {"quota_mib": 10**400}, {"targets": ["a@b.de\u2028"]},
    ],
)  # fmt: skip
def test_case_027_list_out_of_order_or_doubled_is_refused_alone(agent, fields) -> None:
    answer = send(agent, domain(), {**mailbox(7, "info"), **fields}, forward(8, "x"))
    assert sorted(verdicts(answer).values()) == ["bad_row", "ok", "ok"]


# --- what no batch may do --------------------------------------------------------------------------


@pytest.fixture
def twenty(own_agent):
    send(own_agent, domain(), domain(2, "b.test"), *(mailbox(n, f"box{n}") for n in range(1, 21)))
    return own_agent


@pytest.mark.parametrize(
    "rows",
    [
        [without(mailbox(n, "")) for n in range(1, 12)],
        [forward(n, f"box{n}") for n in range(1, 12)],
        [without(domain())],
    ],
    ids=["removed", "turned into forwards", "with their domain"],
)
def test_f42_mass_removal_stops_and_asks(twenty, rows) -> None:
    before = contents(twenty)
    answer = send(twenty, *rows)
    assert answer["code"] == "mass_removal"
    assert answer["facts"]["removes"] in (11, 20) and answer["facts"]["of"] == 20
    assert contents(twenty) == before
    assert send(twenty, *rows, allow_mass_removal=True)["ok"]
    assert contents(twenty) != before


def test_few_removals_or_a_small_share_do_not_ask(twenty) -> None:
    assert send(twenty, *(without(mailbox(n, "")) for n in range(1, 11)))["ok"]
    more = [mailbox(n, f"box{n}") for n in range(100, 200)]
    assert send(twenty, *more)["ok"]
    assert send(twenty, *(without(row) for row in more[:12]))["ok"]


def test_f12_full_disk_says_so_and_changes_nothing_that_a_replay_does_not_mend(own_agent) -> None:
    send(own_agent, domain())
    before = contents(own_agent)
    arguments = batch(own_agent, *(mailbox(n, f"box{n}") for n in range(1, 3000)))
    limit_files(own_agent, "262144")
    answer = own_agent.call("apply", **arguments)
    assert answer["code"] == "disk_full"
    assert contents(own_agent) == before
    assert own_agent.call("status")["ok"]
    limit_files(own_agent, "unlimited")
    assert own_agent.call("apply", **arguments)["ok"]
    assert len(contents(own_agent)["logins"]) == 2999
    assert len(positions(own_agent)) == 1


def test_f26_file_locked_by_somebody_else_delays_a_batch(own_agent) -> None:
    send(own_agent, domain())
    arguments = batch(own_agent, mailbox(7, "info"))
    holder = sqlite3.connect(own_agent.state / "lookup/lookup.sqlite", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(own_agent.call, "apply", **arguments)
        with pytest.raises(TimeoutError):
            answer.result(0.4)
        assert own_agent.call("status")["generation"] == 1, "others are answered meanwhile"
        holder.execute("ROLLBACK")
        holder.close()
        assert verdicts(answer.result(10)) == {"7": "ok"}


# --- digests ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "statement"),
    [
        ("lookup", "UPDATE route SET target = 'evil@outside.example'"),
        ("lookup", "DELETE FROM sender"),
        ("lookup", "UPDATE address SET keep_copy = 0"),
        ("lookup", "UPDATE domain SET catch_all = 'x@outside.example'"),
        ("auth", "UPDATE credential SET protocols = 'imap,pop3'"),
        ("auth", "UPDATE login SET state = 'off'"),
        ("auth", "UPDATE login SET storage_id = 'x'"),
        ("auth", "DELETE FROM domain"),
        ("auth", "INSERT INTO credential VALUES (7, 'back', '{ARGON2ID}door', 'imap', NULL)"),
        ("auth", "INSERT INTO login VALUES (8, 1, 'alone', 'active', 'y')"),
        ("private", "UPDATE dkim SET signing = 0"),
    ],
)
def test_table_changed_by_hand_has_another_digest(own_agent, name, statement) -> None:
    rows = [domain(), mailbox(7, "info"), forward(8, "kontakt"), key(1)]
    send(own_agent, *rows)
    before = own_agent.call("digest", domains=None)["digests"]
    assert own_agent.call("digest", domains=[1])["digests"] == before
    own_agent.write(name, statement)
    assert own_agent.call("digest", domains=None)["digests"] != before
    send(own_agent, *rows)
    assert own_agent.call("digest", domains=None)["digests"] == before, "sending again mends it"


def test_wal_does_not_grow_without_end(own_agent) -> None:
    send(own_agent, domain())
    for round_ in range(12):
        send(own_agent, *(mailbox(n, f"box{n}", quota_mib=round_ + 1) for n in range(1, 1500)))
    assert max(own_agent.call("status")["wal_bytes"].values()) < 20 * 1024 * 1024
    assert str(uuid.UUID(own_agent.call("hello")["host_id"]))
