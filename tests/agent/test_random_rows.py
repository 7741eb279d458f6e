"""Whatever a row holds: it is refused alone, or stands in the files as it was sent."""

from __future__ import annotations

import copy
import hashlib
import json

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from rowmaker import domain, forward, key, mailbox, position, purge, send

GOOD = [
    domain(1), domain(2, "zweite.test"), mailbox(7, "info"), forward(8, "kontakt"), key(5),
    purge("f" * 32), {"kind": "address", "key": "7", "domain_id": 1, "remove": True},
]  # fmt: skip
# Letters that mean something to maps, shells, SQL, paths, logs and to JSON itself.
NASTY = st.text(
    st.sampled_from("a1.@+-_%:|/\\'\"`$;#{}[]()<>*,= \t\r\n\0\x0b\x0c\x1b\x7f\x85\u2028\ud800äẞ٧"),
    max_size=12,
)
VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | NASTY | st.sampled_from(["active", "off", "a@b.de", "x.test", "mailbox", "7", "1" * 32]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NASTY, inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


@st.composite
def rows(draw) -> dict:
    """A good row, of which up to three fields say something else."""
    row = copy.deepcopy(draw(st.sampled_from(GOOD)))
    for _ in range(draw(st.integers(0, 3))):
        field = draw(st.sampled_from([*row, "extra", "remove", "change"]))
        row[field] = draw(VALUE)
    return row


def digest(row: dict) -> str:
    content = {name: value for name, value in row.items() if name != "change"}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


@settings(
    max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(row=rows())
@example(row=mailbox(7, "info", targets=["a+b@outside.example"], keep_copy=False))
@example(row=mailbox(7, "info", quota_mib=None, send_as=[], credentials=[]))
@example(row={**forward(8, "kontakt"), "targets": ["b@x.de", "a@x.de", "b@x.de"]})
@example(row=domain(1, state="login_off", canonical_id=2, catch_all="x@y.de", postmaster=None))
@example(row=domain(1, elsewhere=True))
@example(row={**key(5), "signing": False, "private_key": ""})
def test_case_027_row_is_refused_alone_or_read_back_as_it_was_sent(agent, row) -> None:
    neighbour = mailbox(70, "nachbar", quota_mib=position(agent)["generation"] + 1)
    answer = send(agent, domain(1), domain(2, "zweite.test"), neighbour, row)
    assert answer["ok"], answer
    results = {(each["kind"], each["key"]): each for each in answer["results"] if not each["ok"]}
    assert ("address", "70") not in results
    there = {(each["kind"], each["key"]): each["digest"]
             for number in (1, 2) for each in agent.call("rows", domain_id=number)["rows"]}  # fmt: skip
    assert there["address", "70"] == digest(neighbour)
    if not results and row["kind"] != "purge" and "remove" not in row:
        assert there[row["kind"], row["key"]] == digest(row)


@pytest.mark.parametrize("change", ["x y", "\n", 7, "g" * 40, None, ["a"]])
def test_case_034_change_id_that_is_none_is_refused(agent, change) -> None:
    results = send(agent, {**domain(1), "change": change})["results"]
    assert [each.get("code") for each in results] == ["bad_row"]


def test_case_034_log_stays_one_json_line_for_each_event(agent) -> None:
    send(
        agent, {**domain(1), "name": 'a\r\n{"event": "forged"}\x1b[2J'}, {"kind": "\n", "key": "\n"}
    )
    for line in agent.log.read_text().splitlines():
        assert json.loads(line)["event"] != "forged"
