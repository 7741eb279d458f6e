"""Asks lists of addresses in the DNS (RFC 5782), and first whether a list works from here."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from maildns.answers import Answer, Ask, Outcome
from maildns.ptr import reverse_name
from maildns.readiness.facts import BlockList, ListKind

# RFC 5782, 5: every list has the first of each pair, and none the second.
TESTS_FOUR = ("127.0.0.2", "127.0.0.1")
TESTS_SIX = ("::ffff:7f00:2", "::ffff:7f00:1")
# More than any list has reasons for one address.
MAX_CODES = 32

# What lists answer instead of an error. 127.255.255.0/24: www.spamhaus.org/news/article/788;
# 127.0.0.1 is no code of any list (RFC 5782, 2.1), and some say by it that they are cross.
_ERROR_NET, _ERROR_CODE = "127.255.255.", "127.0.0.1"


@dataclass(frozen=True)
class Listing:
    """What one list says of one address. `fault` is a code, and says that nothing is known.

    Faults are dns_error, refused (the list will not serve who asks), no_test_entry and
    lists_everything (it does not work), and strange_answer. `kinds` is empty if it is not listed.
    """

    block_list: BlockList
    kinds: frozenset[ListKind] = frozenset()
    codes: tuple[str, ...] = ()
    text: str = ""
    fault: str = ""
    reason: str = ""


async def look_up(address: str, block_list: BlockList, ask: Ask) -> Listing:
    """Ask one list for one address, its test entries first: they tell silence from "no"."""
    listed, never_listed = TESTS_FOUR if block_list.four else TESTS_SIX
    tests = await asyncio.gather(
        *(ask(_name(each, block_list), "A") for each in (listed, never_listed))
    )
    for test in tests:
        if found := _faulty(test, block_list):
            return found
    if not tests[0].values:
        return Listing(block_list, fault="no_test_entry")
    if tests[1].values:
        return Listing(block_list, codes=tests[1].values[:MAX_CODES], fault="lists_everything")
    answer = await ask(_name(address, block_list), "A")
    if found := _faulty(answer, block_list):
        return found
    if not answer.values:
        return Listing(block_list)
    why = await ask(_name(address, block_list), "TXT")
    kinds = frozenset(block_list.kind_of(code) for code in answer.values)
    return Listing(block_list, kinds, answer.values, next(iter(why.values), ""))


def _name(address: str, block_list: BlockList) -> str:
    """RFC 5782, 2.1 and 2.4: the address as in the reverse tree, below the zone of the list."""
    return f"{reverse_name(address).rsplit('.', 2)[0]}.{block_list.zone}"


def _faulty(answer: Answer, block_list: BlockList) -> Listing | None:
    if answer.outcome is Outcome.UNREACHABLE:
        return Listing(block_list, fault="dns_error", reason=answer.reason)
    codes = answer.values
    if any(code.startswith(_ERROR_NET) or code == _ERROR_CODE for code in codes):
        return Listing(block_list, codes=codes[:MAX_CODES], fault="refused")
    if len(codes) > MAX_CODES or not all(code.startswith("127.") for code in codes):
        # RFC 5782, 2.1: codes are in 127.0.0.0/8. A zone that was sold answers with a web server.
        return Listing(block_list, codes=codes[:MAX_CODES], fault="strange_answer")
    return None
