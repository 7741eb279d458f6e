from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from ipaddress import ip_address

import pytest
from fakeask import FakeAsk
from openspf import suite_cases

from maildns.answers import Answer, Outcome
from maildns.spf.evaluate import Result, SpfOutcome, check_host

Zones = Mapping[str, Mapping[str, Sequence[str]]]

# RFC 7208, appendix A, and some names for what it has no example of.
ZONES: dict[str, dict[str, Sequence[str]]] = {
    "example.com": {
        "MX": ["10 mail-a.example.com", "20 mail-b.example.com"],
        "A": ["192.0.2.10", "192.0.2.11"],
        "AAAA": ["2001:db8::10"],
    },
    "amy.example.com": {"A": ["192.0.2.65"]},
    "bob.example.com": {"A": ["192.0.2.66"]},
    "mail-a.example.com": {"A": ["192.0.2.129"]},
    "mail-b.example.com": {"A": ["192.0.2.130"]},
    "www.example.com": {"CNAME": ["example.com"]},
    "example.org": {"MX": ["10 mail-c.example.org"]},
    "mail-c.example.org": {"A": ["192.0.2.140"]},
    "10.2.0.192.in-addr.arpa": {"PTR": ["example.com"]},
    "65.2.0.192.in-addr.arpa": {"PTR": ["amy.example.com"]},
    "66.2.0.192.in-addr.arpa": {"PTR": ["bob.example.com"]},
    "140.2.0.192.in-addr.arpa": {"PTR": ["mail-c.example.org"]},
    "4.0.0.10.in-addr.arpa": {"PTR": ["bob.example.com"]},
    "pass.example": {"TXT": ["v=spf1 ip4:192.0.2.1 -all"]},
    "softfail.example": {"TXT": ["v=spf1 ~all"]},
    "neutral.example": {"TXT": ["v=spf1 ?all"]},
    "broken.example": {"TXT": ["v=spf1 foo:bar"]},
    "twice.example": {"TXT": ["v=spf1 -all", "V=SPF1 +all"]},
    "text.example": {"TXT": ["v=spf10 +all", "site-verification=x"]},
    "null-mx.example": {"MX": ["0 ."]},
    "loop.example": {"TXT": ["v=spf1 include:pool.example -all"]},
    "pool.example": {"TXT": ["v=spf1 include:loop.example -all"]},
    "round.example": {"TXT": ["v=spf1 redirect=round.example"]},
    "nine.example": {"TXT": ["v=spf1" + " a:amy.example.com" * 9 + " -all"]},
    "ten-mx.example": {"MX": [f"{n} mail-a.example.com" for n in range(10)]},
    "eleven-mx.example": {"MX": [f"{n} mail-a.example.com" for n in range(11)]},
    "explained.example": {"TXT": ["No mail from %{i} for %{d}, says %{r}%_%%."]},
    "two-texts.example": {"TXT": ["one", "two"]},
    "bad-text.example": {"TXT": ["100% wrong"]},
    "umlaut.example": {"TXT": ["gr\xfc\xdfe"]},
}
FAILING = ("silent.example",)
HELO = "mx.sender.example"


def check(
    *texts: str,
    ip: str = "192.0.2.1",
    sender: str = "strong-bad@example.com",
    zones: Zones | None = None,
    **options: float,
) -> SpfOutcome:
    domain = sender.rpartition("@")[2]
    found = {**ZONES, **(zones or {})}
    if texts:
        found[domain] = {**found.get(domain, {}), "TXT": texts}
    ask = FakeAsk(found, FAILING)
    return asyncio.run(
        check_host(ip_address(ip), domain, sender, helo=HELO, ask=ask, **options)  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(
    ("text", "ip", "result"),
    [
        # RFC 7208, A.1.
        ("v=spf1 +all", "192.0.2.200", "pass"),
        ("v=spf1 a -all", "192.0.2.10", "pass"),
        ("v=spf1 a -all", "192.0.2.11", "pass"),
        ("v=spf1 a -all", "192.0.2.12", "fail"),
        ("v=spf1 a:example.org -all", "192.0.2.10", "fail"),
        ("v=spf1 mx -all", "192.0.2.129", "pass"),
        ("v=spf1 mx -all", "192.0.2.10", "fail"),
        ("v=spf1 mx:example.org -all", "192.0.2.140", "pass"),
        ("v=spf1 mx mx:example.org -all", "192.0.2.130", "pass"),
        ("v=spf1 mx mx:example.org -all", "192.0.2.140", "pass"),
        ("v=spf1 mx/30 mx:example.org/30 -all", "192.0.2.131", "pass"),
        ("v=spf1 mx/30 mx:example.org/30 -all", "192.0.2.143", "pass"),
        ("v=spf1 mx/30 mx:example.org/30 -all", "192.0.2.132", "fail"),
        ("v=spf1 ptr -all", "192.0.2.65", "pass"),
        ("v=spf1 ptr -all", "192.0.2.140", "fail"),
        ("v=spf1 ptr -all", "10.0.0.4", "fail"),
        ("v=spf1 ip4:192.0.2.128/28 -all", "192.0.2.65", "fail"),
        ("v=spf1 ip4:192.0.2.128/28 -all", "192.0.2.129", "pass"),
        # 4.5 to 4.7: the version, spaces, the default result.
        ("v=spf1", "192.0.2.1", "neutral"),
        ("V=SPF1 -ALL", "192.0.2.1", "fail"),
        ("v=spf1   ip4:192.0.2.1   -all   ", "192.0.2.1", "pass"),
        ("v=spf1 a", "192.0.2.1", "neutral"),
        # 4.6.2: four results.
        ("v=spf1 ?ip4:192.0.2.1 -all", "192.0.2.1", "neutral"),
        ("v=spf1 ~ip4:192.0.2.1 -all", "192.0.2.1", "softfail"),
        ("v=spf1 -ip4:192.0.2.1 +all", "192.0.2.1", "fail"),
        ("v=spf1 +IP4:192.0.2.1 -all", "192.0.2.1", "pass"),
        # 5: a mapped address is an IPv4 address, and the kinds do not match each other.
        ("v=spf1 ip4:192.0.2.1 -all", "::ffff:192.0.2.1", "pass"),
        ("v=spf1 ip6:::ffff:192.0.2.1 -all", "::ffff:192.0.2.1", "fail"),
        ("v=spf1 ip6:::/0 -all", "192.0.2.1", "fail"),
        ("v=spf1 ip4:0.0.0.0/0 -all", "2001:db8::1", "fail"),
        ("v=spf1 ip6:2001:DB8::/32 -all", "2001:db8:1::1", "pass"),
        # 5.1: nothing behind `all` is read as more than syntax.
        ("v=spf1 -all +ip4:192.0.2.1", "192.0.2.1", "fail"),
        ("v=spf1 ~all include:absent.example", "192.0.2.1", "softfail"),
        # 5.2: only a pass of the other domain matches.
        ("v=spf1 include:pass.example ~all", "192.0.2.1", "pass"),
        ("v=spf1 -include:pass.example +all", "192.0.2.1", "fail"),
        ("v=spf1 include:pass.example ~all", "192.0.2.2", "softfail"),
        ("v=spf1 include:softfail.example -all", "192.0.2.1", "fail"),
        ("v=spf1 include:neutral.example -all", "192.0.2.1", "fail"),
        # 5.3: also by an alias; each prefix length is for its own kind.
        ("v=spf1 a:www.example.com. -all", "192.0.2.10", "pass"),
        ("v=spf1 a/24//64 -all", "192.0.2.99", "pass"),
        ("v=spf1 a/24//64 -all", "2001:db8::99", "pass"),
        ("v=spf1 a/24 -all", "2001:db8::99", "fail"),
        ("v=spf1 a//0 -all", "2001:4860::1", "pass"),
        ("v=spf1 a:absent.example/0 -all", "192.0.2.1", "fail"),
        # 5.4: no MX, and the null MX of RFC 7505.
        ("v=spf1 mx:amy.example.com -all", "192.0.2.65", "fail"),
        ("v=spf1 mx:null-mx.example -all", "192.0.2.1", "fail"),
        # 5.7: an A record is asked for, whatever the client is.
        ("v=spf1 exists:amy.example.com -all", "2001:db8::1", "pass"),
        ("v=spf1 exists:absent.example -all", "192.0.2.1", "fail"),
        # 6: redirect, unknown modifiers.
        ("v=spf1 redirect=pass.example", "192.0.2.1", "pass"),
        ("v=spf1 redirect=pass.example a", "192.0.2.2", "fail"),
        ("v=spf1 redirect=pass.example ?all", "192.0.2.2", "neutral"),
        ("v=spf1 x-y_z.1=%{d} also= -all", "192.0.2.1", "fail"),
        # 7.3: macros, also as a whole name.
        ("v=spf1 exists:%{l1r-}.%{d} -all", "192.0.2.1", "fail"),
        ("v=spf1 a:%{d} -all", "192.0.2.10", "pass"),
        ("v=spf1 include:%{l1r-}%{l2r-}.%%.example -all", "192.0.2.1", "permerror"),
    ],
)  # fmt: skip
def test_examples_of_the_rfc(text: str, ip: str, result: str) -> None:
    assert check(text, ip=ip).result == result


@pytest.mark.parametrize(
    ("text", "result", "problem"),
    [
        # RFC 7208, 4.5 and 4.6: what makes the whole record void, also behind a match.
        ("v=spf1 +all foo", "permerror", "unknown_mechanism"),
        ("v=spf1 +all all:x", "permerror", "unwanted_argument"),
        ("v=spf1 +all all/8", "permerror", "unwanted_argument"),
        ("v=spf1 +all 1up=x", "permerror", "bad_term"),
        ("v=spf1 +all -x=y", "permerror", "qualified_modifier"),
        ("v=spf1 +all x=%z", "permerror", "bad_macro"),
        ("v=spf1 +all include", "permerror", "no_argument"),
        ("v=spf1 +all include:", "permerror", "no_domain"),
        ("v=spf1 +all include:pass.example/24", "permerror", "bad_domain"),
        ("v=spf1 +all exists:pass.example/24", "permerror", "bad_domain"),
        ("v=spf1 +all ptr/24", "permerror", "no_argument"),
        ("v=spf1 +all ptr:", "permerror", "no_domain"),
        ("v=spf1 +all a:", "permerror", "no_domain"),
        ("v=spf1 +all a:192.0.2.1", "permerror", "bad_domain"),
        ("v=spf1 +all a:localhost", "permerror", "bad_domain"),
        ("v=spf1 +all a:example.-com", "permerror", "bad_domain"),
        ("v=spf1 +all a:example.com:25", "permerror", "bad_domain"),
        ("v=spf1 +all a:ex\xe4mple.com", "permerror", "bad_character"),
        ("v=spf1 +all a\tmx", "permerror", "no_argument"),
        ("v=spf1 +all a/33", "permerror", "bad_prefix_length"),
        ("v=spf1 +all a/024", "permerror", "bad_prefix_length"),
        ("v=spf1 +all a/", "permerror", "bad_prefix_length"),
        ("v=spf1 +all mx//129", "permerror", "bad_prefix_length"),
        ("v=spf1 +all a/24/64", "permerror", "no_argument"),
        ("v=spf1 +all ip4:192.0.2", "permerror", "bad_address"),
        ("v=spf1 +all ip4:192.0.2.1/33", "permerror", "bad_prefix_length"),
        ("v=spf1 +all ip4:192.0.2.1/", "permerror", "bad_prefix_length"),
        ("v=spf1 +all ip4:192.0.2.1-all", "permerror", "bad_address"),
        ("v=spf1 +all ip4:192.0.2.01", "permerror", "bad_address"),
        ("v=spf1 +all ip4:2001:db8::1", "permerror", "bad_address"),
        ("v=spf1 +all ip6", "permerror", "no_argument"),
        ("v=spf1 +all ip6:::1/129", "permerror", "bad_prefix_length"),
        ("v=spf1 +all ip6:fe80::1%eth0", "permerror", "bad_address"),
        ("v=spf1 +all exists:%{i}.x.example/24", "permerror", "bad_domain"),
        ("v=spf1 +all exists:%{d0}.example", "permerror", "bad_macro"),
        ("v=spf1 +all exists:%{c}.example", "permerror", "bad_macro"),
        ("v=spf1 +all exists:%{i", "permerror", "bad_macro"),
        ("v=spf1 +all exists:%", "permerror", "bad_macro"),
        ("v=spf1 redirect=a.example redirect=b.example", "permerror", "modifier_twice"),
        ("v=spf1 +all exp=a.example exp=b.example", "permerror", "modifier_twice"),
        ("v=spf1 +all redirect=", "permerror", "no_domain"),
        # 5.2, 6.1: the other record is not there, or void.
        ("v=spf1 include:absent.example +all", "permerror", "include_without_record"),
        ("v=spf1 include:text.example +all", "permerror", "include_without_record"),
        ("v=spf1 include:a..example +all", "permerror", "include_without_record"),
        ("v=spf1 include:broken.example +all", "permerror", "unknown_mechanism"),
        ("v=spf1 include:twice.example +all", "permerror", "several_records"),
        ("v=spf1 redirect=text.example", "permerror", "redirect_without_record"),
        # 5: silence is never an answer.
        ("v=spf1 a:silent.example +all", "temperror", "unreachable"),
        ("v=spf1 mx:silent.example +all", "temperror", "unreachable"),
        ("v=spf1 exists:silent.example +all", "temperror", "unreachable"),
        ("v=spf1 include:silent.example +all", "temperror", "unreachable"),
        ("v=spf1 redirect=silent.example", "temperror", "unreachable"),
        # 4.6.4: the limits, and loops, which they end.
        ("v=spf1" + " a" * 10 + " ?all", "neutral", ""),
        ("v=spf1" + " a" * 11 + " ?all", "permerror", "too_many_lookups"),
        ("v=spf1" + " a" * 10 + " redirect=neutral.example", "permerror", "too_many_lookups"),
        ("v=spf1 include:nine.example ?all", "neutral", ""),
        ("v=spf1 include:nine.example mx ?all", "permerror", "too_many_lookups"),
        ("v=spf1 include:loop.example ?all", "permerror", "too_many_lookups"),
        ("v=spf1 redirect=round.example", "permerror", "too_many_lookups"),
        ("v=spf1" + " ip4:192.0.2.9" * 1000 + " ?all", "neutral", ""),
        ("v=spf1" + " mx" * 1000 + " ?all", "permerror", "too_many_lookups"),
        ("v=spf1 mx:ten-mx.example ?all", "neutral", ""),
        ("v=spf1 mx:eleven-mx.example ?all", "permerror", "too_many_mx"),
        ("v=spf1 a:one.absent a:two.absent ?all", "neutral", ""),
        ("v=spf1 a:a.absent mx:b.absent exists:c.absent ?all", "permerror", "too_many_void_lookups"),
    ],
)  # fmt: skip
def test_errors_and_limits_of_the_rfc(text: str, result: str, problem: str) -> None:
    outcome = check(text)
    assert outcome.result == result
    assert outcome.problem == (f"spf_{problem}" if problem else "")


@pytest.mark.parametrize(
    "case", [pytest.param(case, id=case.id) for case in suite_cases()] or [None]
)
def test_case_of_the_public_suite(case) -> None:
    if case is None:
        return  # the file is not here; the tables above are
    domain = case.sender.rpartition("@")[2] or case.helo
    outcome = asyncio.run(
        check_host(ip_address(case.ip), domain, case.sender, helo=case.helo, ask=case.ask)
    )
    assert outcome.result in case.results
    assert case.explanation in (None, outcome.explanation)


# --- which record -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("texts", "result", "problem"),
    [
        ([], "none", "spf_no_record"),
        ([" v=spf1 +all"], "none", "spf_no_record"),
        (["v=spf10"], "none", "spf_no_record"),
        (["v=spf1\t+all"], "none", "spf_no_record"),
        (["v=\u017fpf1 +all"], "none", "spf_no_record"),
        (["other", "v=spf1 -all", "\xff"], "fail", ""),
        (["v=spf1 -all", "v=spf1 -all"], "permerror", "spf_several_records"),
    ],
)
def test_one_record_is_selected(texts: list[str], result: str, problem: str) -> None:
    outcome = check(*texts, sender="a@new.example")
    assert (outcome.result, outcome.problem) == (result, problem)


@pytest.mark.parametrize(
    "domain",
    ["localhost", "[192.0.2.1]", "192.0.2.1", "a..example", f"{'a' * 64}.example", "\xe4.example", ""],
)  # fmt: skip
def test_malformed_domain_has_no_result(domain: str) -> None:
    ask = FakeAsk({})
    outcome = asyncio.run(
        check_host(ip_address("192.0.2.1"), domain, f"a@{domain}", helo=HELO, ask=ask)
    )
    assert (outcome.result, outcome.problem, ask.asked) == (Result.NONE, "spf_bad_domain", [])


def test_letter_beyond_ascii_is_never_taken_for_one() -> None:
    assert check("v=spf1 +all", sender="a@\u212aelvin.example").result is Result.NONE
    zones = {"k.example": {"A": ["192.0.2.1"]}}
    text = "v=spf1 exists:%{l}.example -all"
    assert check(text, sender="K@example.com", zones=zones).result is Result.PASS
    assert check(text, sender="\u212a@example.com", zones=zones).result is Result.FAIL


def test_unreachable_domain_is_a_temporary_error() -> None:
    outcome = check(sender="a@silent.example")
    assert (outcome.result, outcome.where) == (Result.TEMPERROR, "silent.example")


# --- what the outcome tells ---------------------------------------------------------------------


def test_outcome_names_the_term_that_matched() -> None:
    outcome = check("v=spf1 a MX:example.org include:pass.example -all", ip="192.0.2.140")
    assert (outcome.term, outcome.where, outcome.lookups_used) == (
        "MX:example.org",
        "example.com",
        2,
    )
    outcome = check("v=spf1 redirect=pass.example", ip="192.0.2.1")
    assert (outcome.term, outcome.where) == ("ip4:192.0.2.1", "pass.example")
    assert check("v=spf1 a").term == ""


def test_outcome_names_the_term_at_fault_and_its_record() -> None:
    outcome = check("v=spf1 include:broken.example -all")
    assert (outcome.term, outcome.where) == ("foo:bar", "broken.example")
    outcome = check("v=spf1 a include:absent.example -all")
    assert (outcome.term, outcome.where) == ("include:absent.example", "example.com")


def test_lookups_and_void_lookups_are_counted() -> None:
    outcome = check(
        "v=spf1 a ip4:192.0.2.9 a:x.absent include:nine.example exp=explained.example ?all"
    )
    assert outcome.problem == "spf_too_many_lookups"
    outcome = check("v=spf1 a ip4:192.0.2.9 a:x.absent include:pass.example ?all", ip="192.0.2.3")
    assert (outcome.lookups_used, outcome.void_lookups) == (3, 1)


def test_void_limit_can_be_set() -> None:
    text = "v=spf1 a:a.absent a:b.absent a:c.absent ?all"
    assert check(text, max_void_lookups=3).result is Result.NEUTRAL
    assert check("v=spf1 a:a.absent ?all", max_void_lookups=0).result is Result.PERMERROR


def test_only_ten_names_of_a_client_are_looked_at() -> None:
    names = [f"n{n}.example.com" for n in range(11)]
    zones = {
        "1.2.0.192.in-addr.arpa": {"PTR": names},
        "n9.example.com": {"A": ["192.0.2.1"]},
    }
    assert check("v=spf1 ptr -all", zones=zones).result is Result.PASS
    zones["n10.example.com"] = zones.pop("n9.example.com")
    assert check("v=spf1 ptr -all", zones=zones).result is Result.FAIL


def test_silent_reverse_name_is_no_error() -> None:
    zones = {"1.2.0.192.in-addr.arpa": {"PTR": ["silent.example", "amy.example.com"]}}
    assert check("v=spf1 ptr ?all", zones=zones).result is Result.NEUTRAL


# --- explanations -------------------------------------------------------------------------------


def test_explanation_of_a_fail_is_expanded() -> None:
    outcome = check("v=spf1 -all exp=explained.example")
    assert outcome.explanation == "No mail from 192.0.2.1 for example.com, says unknown %."


@pytest.mark.parametrize(
    "text",
    [
        "v=spf1 ~all exp=explained.example",
        "v=spf1 -all",
        "v=spf1 -all exp=absent.example",
        "v=spf1 -all exp=silent.example",
        "v=spf1 -all exp=two-texts.example",
        "v=spf1 -all exp=bad-text.example",
        "v=spf1 -all exp=umlaut.example",
        "v=spf1 -all exp=%{l}..example",
    ],
)
def test_explanation_that_cannot_be_had_is_empty(text: str) -> None:
    assert check(text).explanation == ""


def test_explanation_is_that_of_the_record_that_failed() -> None:
    redirected = {"TXT": ["v=spf1 -all exp=explained.example"]}
    outcome = check(
        "v=spf1 redirect=other.example exp=bad-text.example", zones={"other.example": redirected}
    )
    assert "for other.example" in outcome.explanation
    outcome = check("v=spf1 include:other.example -all", zones={"other.example": redirected})
    assert outcome.explanation == ""


def test_sender_puts_no_line_into_the_reply() -> None:
    zones = {"why.example": {"TXT": ["no mail for %{s}"]}}
    text = "v=spf1 -all exp=why.example"
    assert check(text, sender="bob@example.com", zones=zones).explanation.endswith(
        "bob@example.com"
    )
    assert check(text, sender="b\r\n250 ok@example.com", zones=zones).explanation == ""


# --- time ---------------------------------------------------------------------------------------


class SlowAsk:
    """Answers the first `quick` questions at once, and the rest never."""

    def __init__(self, texts: Sequence[str], quick: int) -> None:
        self.texts, self.quick = tuple(texts), quick

    async def __call__(self, name: str, rdtype: str) -> Answer:
        self.quick -= 1
        if self.quick < 0:
            await asyncio.sleep(3600)
        return Answer(name, rdtype, Outcome.FOUND, self.texts)


def slow(text: str, quick: int) -> SpfOutcome:
    return asyncio.run(
        check_host(
            ip_address("192.0.2.1"), "example.com", "a@example.com",
            helo=HELO, ask=SlowAsk([text], quick), deadline_seconds=0.02,
        )
    )  # fmt: skip


def test_deadline_ends_in_a_temporary_error() -> None:
    outcome = slow("v=spf1 a -all", quick=1)
    assert (outcome.result, outcome.problem, outcome.term) == (
        Result.TEMPERROR, "spf_deadline", "a",
    )  # fmt: skip


def test_late_explanation_does_not_change_the_result() -> None:
    outcome = slow("v=spf1 -all exp=why.example", quick=1)
    assert (outcome.result, outcome.explanation) == (Result.FAIL, "")
