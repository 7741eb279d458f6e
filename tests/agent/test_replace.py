"""A full resync: staged aside, visible at once, finished after a crash."""

from __future__ import annotations

import os
import shutil
import threading
import time

import pytest
from rowmaker import (
    contents,
    domain,
    forward,
    key,
    limit_files,
    mailbox,
    position,
    positions,
    send,
    without,
)

TO = {"epoch": "new", "generation": 50, "batch": "resync"}


def replace(agent, phase: str, **more) -> dict:
    return agent.call("replace", token=1, phase=phase, **{**TO, "allow_mass_removal": True, **more})


def stage(agent, *rows) -> None:
    assert replace(agent, "begin")["ok"]
    for row in rows:
        assert replace(agent, "rows", rows=[row])["ok"]


def test_resync_makes_the_files_hold_just_what_was_sent(own_agent) -> None:
    send(own_agent, domain(), mailbox(1, "eins"), mailbox(2, "zwei"), forward(3, "drei"), key(1))
    before = contents(own_agent)
    stage(own_agent, domain(), mailbox(2, "zwei", quota_mib=20), mailbox(4, "eins"), key(2))
    assert contents(own_agent) == before, "what is staged is not visible"
    answer = replace(own_agent, "commit")
    assert (answer["results"], answer["changed"]) == ([], 6)
    there = contents(own_agent)
    assert there["addresses"] == [(2, "zwei", 20), (4, "eins", 10)]
    assert there["logins"] == [(2, "zwei"), (4, "eins")]
    assert there["keys"] == [(2, "s2")]
    assert positions(own_agent) == {tuple(TO.values())}


def test_row_refused_in_a_resync_keeps_what_the_host_has_of_it(own_agent) -> None:
    send(own_agent, domain(), mailbox(1, "eins"), mailbox(2, "zwei"))
    assert replace(own_agent, "begin")["ok"]
    rows = [domain(), mailbox(1, "eins", quota_mib=-1), mailbox(3, "zwei")]
    answer = replace(own_agent, "rows", rows=rows)
    assert [each["code"] for each in answer["results"]] == ["bad_row"]
    assert replace(own_agent, "commit")["results"] == []
    assert contents(own_agent)["addresses"] == [(1, "eins", 10), (3, "zwei", 10)]


def test_resync_of_what_is_there_already_writes_no_row(own_agent) -> None:
    rows = [domain(), mailbox(1, "eins"), forward(2, "zwei"), key(1)]
    send(own_agent, *rows)
    stage(own_agent, *rows)
    assert replace(own_agent, "commit")["changed"] == 0


def test_batch_between_begin_and_commit_ends_the_resync(own_agent) -> None:
    send(own_agent, domain(), mailbox(1, "eins"))
    stage(own_agent, domain())
    send(own_agent, mailbox(2, "zwei"))
    assert replace(own_agent, "commit")["code"] == "not_begun"
    assert len(contents(own_agent)["addresses"]) == 2


@pytest.mark.parametrize("how", ["abort", "kill", "other"])
def test_resync_that_came_to_nothing_leaves_nothing(own_agent, how) -> None:
    send(own_agent, domain(), mailbox(1, "eins"))
    before, place = contents(own_agent), position(own_agent)
    stage(own_agent, domain())
    if how == "abort":
        assert replace(own_agent, "abort")["ok"]
    elif how == "kill":
        own_agent.restart()
    else:
        assert replace(own_agent, "commit", batch="other")["code"] == "not_begun"
        assert replace(own_agent, "abort")["ok"]
    assert replace(own_agent, "commit")["code"] == "not_begun"
    assert (contents(own_agent), position(own_agent)) == (before, place)
    assert not list((own_agent.state / "private").glob("*.jsonl"))


def test_f42_mass_removal_by_a_resync_asks_and_may_be_told_yes(own_agent) -> None:
    send(own_agent, domain(), *(mailbox(n, f"box{n}") for n in range(1, 20)))
    stage(own_agent, domain())
    answer = replace(own_agent, "commit", allow_mass_removal=False)
    assert (answer["code"], answer["facts"]) == ("mass_removal", {"removes": 19, "of": 19})
    assert len(contents(own_agent)["addresses"]) == 19
    assert replace(own_agent, "commit")["ok"]
    assert contents(own_agent)["addresses"] == []


@pytest.mark.parametrize("older", [False, True])
@pytest.mark.parametrize("committed", [["private"], ["private", "auth"]])
def test_f04_resync_cut_between_two_commits_is_finished_at_the_start(
    own_agent, tmp_path, committed, older
) -> None:
    """Also when an older agent wrote the journal, which knew nothing of mail elsewhere."""
    send(own_agent, domain(), *(mailbox(n, f"box{n}") for n in range(1, 20)), key(1))
    own_agent.kill()
    groups = {"auth": "dovecot", "lookup": "postfix"}
    for name in groups:
        shutil.copytree(own_agent.state / name, tmp_path / name)
    own_agent.start()
    stage(own_agent, domain(), mailbox(1, "box1", quota_mib=3), key(2))
    private = own_agent.state / "private"
    os.link(private / "stage.jsonl", private / "kept")
    assert replace(own_agent, "commit")["ok"]
    own_agent.kill()
    # What a crash between the commits leaves: the journal, and the later files as they were.
    (private / "kept").rename(private / "replace.jsonl")
    if older:
        text = (private / "replace.jsonl").read_text()
        assert '"elsewhere": false' in text
        (private / "replace.jsonl").write_text(text.replace(', "elsewhere": false', ""))
    for name in set(groups) - set(committed):
        shutil.rmtree(own_agent.state / name)
        shutil.copytree(tmp_path / name, own_agent.state / name)
        shutil.chown(own_agent.state / name, "pk-agent", groups[name])
        for path in (own_agent.state / name).iterdir():
            shutil.chown(path, "pk-agent", groups[name])
    own_agent.start()
    there = contents(own_agent)
    assert there["addresses"] == [(1, "box1", 3)] and there["logins"] == [(1, "box1")]
    assert there["keys"] == [(2, "s2")]
    assert positions(own_agent) == {tuple(TO.values())}
    assert not (private / "replace.jsonl").exists()


def test_f12_resync_on_a_disk_that_fills_up_is_finished_before_the_next_batch(own_agent) -> None:
    send(own_agent, domain(), mailbox(1, "box1"), key(1))
    base = position(own_agent)
    rows = [mailbox(n, f"box{n}", quota_mib=5) for n in range(1, 3000)]
    stage(own_agent, domain(), key(2))
    assert replace(own_agent, "rows", rows=rows)["ok"]
    limit_files(own_agent, "262144")
    assert replace(own_agent, "commit")["code"] == "disk_full"
    assert contents(own_agent)["addresses"] == [(1, "box1", 10)]
    to = {**base, "generation": 60, "batch": "next"}
    answer = own_agent.call("apply", token=1, base=base, to=to, rows=[])
    assert answer["code"] == "disk_full", "nothing comes on top of half a resync"
    limit_files(own_agent, "unlimited")
    assert own_agent.call("apply", token=1, base=base, to=to, rows=[])["code"] == "fork"
    assert len(contents(own_agent)["addresses"]) == len(contents(own_agent)["logins"]) == 2999
    assert contents(own_agent)["keys"] == [(2, "s2")]
    assert positions(own_agent) == {tuple(TO.values())}


def test_reader_sees_all_of_a_resync_or_nothing(own_agent) -> None:
    """Two rows of one file that always change together are never seen apart."""
    send(own_agent, domain(), *(mailbox(n, f"box{n}", quota_mib=1) for n in range(1, 300)))
    seen: set[tuple] = set()
    done = threading.Event()

    def look() -> None:
        while not done.is_set():
            seen.add(tuple(own_agent.rows("lookup", "SELECT DISTINCT quota_mib FROM address")))

    reader = threading.Thread(target=look)
    reader.start()
    for quota in (2, 3, 4):
        assert replace(own_agent, "begin")["ok"]
        rows = [mailbox(n, f"box{n}", quota_mib=quota) for n in range(1, 300)]
        assert replace(own_agent, "rows", rows=[domain(), *rows])["ok"]
        assert replace(own_agent, "commit")["ok"]
        time.sleep(0.05)
    done.set()
    reader.join()
    assert {((1,),), ((4,),)} <= seen | {((4,),)}
    assert all(len(each) == 1 for each in seen), seen
    assert send(own_agent, without(mailbox(1, "")))["ok"]
