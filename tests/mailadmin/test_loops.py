from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailadmin.errors import LoopFound, RouteTooLarge
from mailadmin.loops import MAX_HOPS, MAX_RECIPIENTS, find_loop

Routes = Mapping[str, Sequence[str]]


def spell(*names: str) -> list[str]:
    return [name if "@" in name else f"{name}@example.test" for name in names]


def loop(routes: Routes, start: str, *targets: str) -> list[str]:
    """The loop that `start` would close, in short names."""
    spelled = {spell(name)[0]: spell(*leads_to) for name, leads_to in routes.items()}
    chain = find_loop(spell(start)[0], spell(*targets), lambda email: spelled.get(email, []))
    return [email.removesuffix("@example.test") for email in chain]


@pytest.mark.parametrize(
    ("routes", "start", "targets", "chain"),
    [
        ({}, "a", ["a"], "a a"),
        ({}, "a", ["b", "a"], "a a"),
        ({"b": ["a"]}, "a", ["b"], "a b a"),
        ({"b": ["c"], "c": ["a"]}, "a", ["b"], "a b c a"),
        ({"b": ["x@outside.example", "c"], "c": ["a"]}, "a", ["b"], "a b c a"),
        ({}, "a", ["a+tag"], "a a"),
        ({"b": ["a+x"]}, "a", ["b+y"], "a b a"),
        # A loop that stands already, and that `a` would lead into.
        ({"b": ["c"], "c": ["b"]}, "a", ["b"], "a b c b"),
    ],
)
def test_case_045_loop_is_found_and_shown(
    routes: Routes, start: str, targets: list[str], chain: str
) -> None:
    assert " ".join(loop(routes, start, *targets)) == chain


@pytest.mark.parametrize(
    ("routes", "start", "targets"),
    [
        ({}, "a", []),
        ({}, "a", ["x@outside.example"]),
        ({"b": ["c"]}, "a", ["b"]),
        # Two ways to one address are no loop.
        ({"b": ["d"], "c": ["d"]}, "a", ["b", "c", "d"]),
        # A mailbox that keeps its copy.
        ({"b": ["b", "c"]}, "a", ["b"]),
        # The same name elsewhere.
        ({}, "a", ["a@outside.example"]),
        # Who leads to `a` does not matter while `a` does not lead back.
        ({"b": ["a"], "c": ["b"]}, "a", ["x@outside.example"]),
    ],
)
def test_what_comes_to_an_end_is_no_loop(routes: Routes, start: str, targets: list[str]) -> None:
    assert loop(routes, start, *targets) == []


def test_case_045_catch_all_onto_an_unknown_name_of_its_domain_is_a_loop() -> None:
    known = {"chef@example.test": []}

    def further(email: str) -> Sequence[str]:
        return known.get(email, ["*@example.test"] if email.endswith("@example.test") else [])

    assert find_loop("*@example.test", ["nobody@example.test"], further) == [
        "*@example.test", "nobody@example.test", "*@example.test",
    ]  # fmt: skip
    assert find_loop("*@example.test", ["chef@example.test"], further) == []


def test_chain_of_ten_hops_is_the_longest() -> None:
    routes = {f"n{number}": [f"n{number + 1}"] for number in range(1, 30)}
    assert MAX_HOPS == 10
    assert loop(routes, "start", f"n{30 - MAX_HOPS + 1}") == []
    with pytest.raises(RouteTooLarge) as caught:
        loop(routes, "start", f"n{30 - MAX_HOPS}")
    assert caught.value.hops == MAX_HOPS
    assert "more than 10 addresses" in caught.value.for_user()


def test_long_way_to_what_was_already_seen_counts_too() -> None:
    routes = {f"n{number}": [f"n{number + 1}"] for number in range(1, 9)}
    detour = {"d1": ["d2"], "d2": ["d3"], "d3": ["n1"]}
    assert loop({**routes, **detour}, "start", "n1") == []
    with pytest.raises(RouteTooLarge):
        loop({**routes, **detour}, "start", "n1", "d1")


def test_case_045_expansion_that_explodes_is_refused() -> None:
    many = {f"a{number}": [f"b{number}-{each}" for each in range(50)] for number in range(50)}
    with pytest.raises(RouteTooLarge) as caught:
        loop(many, "all", *many)
    assert caught.value.recipients == MAX_RECIPIENTS
    assert "more than 100" in caught.value.for_user()
    assert loop(many, "all", "a1", "a2") == []


def test_case_045_doubling_at_each_hop_is_counted_without_walking_all_of_it() -> None:
    asked: list[str] = []
    doubling = {
        f"n{hop}@x.example": [f"n{hop + 1}@x.example", f"m{hop}@x.example"] for hop in range(9)
    }
    doubling |= {f"m{hop}@x.example": [f"n{hop + 1}@x.example"] for hop in range(9)}

    def further(email: str) -> Sequence[str]:
        asked.append(email)
        return doubling.get(email, [])

    with pytest.raises(RouteTooLarge):
        find_loop("all@x.example", ["n0@x.example"], further)
    assert len(asked) < 20


def test_sentence_shows_the_loop() -> None:
    refusal = LoopFound(chain=loop({"chef": ["buero"]}, "buero", "chef"))
    assert refusal.for_user() == "That would be a loop: buero → chef → buero."


NAMES = st.sampled_from([f"n{number}@x.example" for number in range(6)])


@given(st.dictionaries(NAMES, st.lists(NAMES, max_size=3)), NAMES, st.lists(NAMES, max_size=3))
def test_a_chain_follows_the_routes_and_without_one_mail_comes_to_an_end(
    routes: dict[str, list[str]], start: str, targets: list[str]
) -> None:
    routes[start] = targets
    chain = find_loop(start, targets, lambda email: routes.get(email, []))
    if chain:
        assert chain[-1] in chain[:-1]
        assert all(after in routes[before] for before, after in pairwise(chain))
        return
    waiting, passed = list(targets), 0
    while waiting:
        email = waiting.pop()
        waiting += [each for each in routes.get(email, []) if each != email]
        passed += 1
        assert passed < 1000
