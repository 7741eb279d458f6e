"""May this host send for this domain? check_host of RFC 7208, 4."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address, ip_address

from maildns.answers import Answer, Ask, Outcome
from maildns.errors import BadTerm
from maildns.spf.macros import MacroString, parse_macro_string
from maildns.spf.names import best_name, is_askable, is_domain, is_within, normal, shortened
from maildns.spf.terms import (
    MAX_LOOKUPS,
    Mechanism,
    Modifier,
    SpfRecord,
    parse_record,
    spf_values,
)

MAX_VOID_LOOKUPS = 2  # RFC 7208, 4.6.4: terms whose questions find nothing
MAX_HOSTS = 10  # RFC 7208, 4.6.4: hosts of one mx, names of one ptr
DEADLINE_SECONDS = 20.0  # RFC 7208, 4.6.4: the least that should be allowed

IPAddress = IPv4Address | IPv6Address

_PRINTABLE = re.compile(r"[ -~]*")


class Result(StrEnum):
    """RFC 7208, 2.6."""

    NONE = "none"
    NEUTRAL = "neutral"
    PASS = "pass"  # noqa: S105 - no password
    FAIL = "fail"
    SOFTFAIL = "softfail"
    TEMPERROR = "temperror"
    PERMERROR = "permerror"


_RESULTS = {"+": Result.PASS, "-": Result.FAIL, "~": Result.SOFTFAIL, "?": Result.NEUTRAL}


@dataclass(frozen=True)
class SpfOutcome:
    """What came of a check.

    `term` is the term that matched or the one at fault, as written, and `where` the domain whose
    record has it. `problem` is a code for none, temperror and permerror, else empty.
    `explanation` is printable ASCII and empty unless the domain gives one for a fail.
    """

    result: Result
    explanation: str = ""
    lookups_used: int = 0
    void_lookups: int = 0
    term: str = ""
    where: str = ""
    problem: str = ""


async def check_host(
    ip: IPAddress,
    domain: str,
    sender: str,
    *,
    helo: str,
    ask: Ask,
    receiver: str = "unknown",
    max_void_lookups: int = MAX_VOID_LOOKUPS,
    deadline_seconds: float = DEADLINE_SECONDS,
) -> SpfOutcome:
    """Evaluate the SPF record of `domain` for mail that comes from `ip` (RFC 7208, 4).

    `domain` is that of `sender`, or `helo` for an empty `sender`, in A-labels. `receiver` is our
    own host name, for explanations. Never raises for what the world says; asks at most 10 terms,
    and ends with temperror after `deadline_seconds`.
    """
    check = _Check(_plain(ip), sender, domain, helo, ask, receiver, max_void_lookups, where=domain)
    ends_at = asyncio.get_running_loop().time() + deadline_seconds
    explanation = ""
    try:
        async with asyncio.timeout_at(ends_at):
            verdict = await check.judge(normal(domain))
    except TimeoutError:
        verdict = check.at_fault(Result.TEMPERROR, "deadline").verdict
    except _Stop as stop:
        verdict = stop.verdict
    with suppress(TimeoutError):  # the result stands without its explanation
        async with asyncio.timeout_at(ends_at):
            explanation = await check.explain(verdict)
    return SpfOutcome(
        verdict.result,
        explanation,
        check.lookups_used,
        check.void_lookups,
        verdict.term,
        verdict.where,
        verdict.problem,
    )


def _plain(ip: IPAddress) -> IPAddress:
    """RFC 7208, 5: an IPv4-mapped IPv6 address is an IPv4 address."""
    if isinstance(ip, IPv4Address):
        return ip
    return ip.ipv4_mapped or IPv6Address(int(ip))  # the latter drops a zone index


@dataclass(frozen=True)
class _Verdict:
    """`exp` is the explanation in force: that of the record that matched."""

    result: Result
    where: str
    term: str = ""
    problem: str = ""
    exp: Modifier | None = None


class _Stop(Exception):
    """The whole check is over: temperror or permerror."""

    def __init__(self, verdict: _Verdict) -> None:
        super().__init__(verdict)
        self.verdict = verdict


@dataclass
class _Check:
    """One check: what was given, what was used up so far, and the term being looked at."""

    ip: IPAddress
    sender: str
    domain: str
    helo: str
    ask: Ask
    receiver: str
    max_void_lookups: int
    lookups_used: int = 0
    void_lookups: int = 0
    where: str = ""
    term: str = ""

    def at_fault(self, result: Result, problem: str) -> _Stop:
        return _Stop(_Verdict(result, self.where, self.term, f"spf_{problem}"))

    async def judge(self, domain: str) -> _Verdict:
        """The result of the record of `domain`; calls itself for include and redirect."""
        if not is_domain(domain):
            return _Verdict(Result.NONE, domain, problem="spf_bad_domain")
        record = await self._record(domain)
        if record is None:
            return _Verdict(Result.NONE, domain, problem="spf_no_record")
        for mechanism in record.mechanisms:
            self.where, self.term = domain, mechanism.text
            if await self._matches(mechanism, domain):
                result = _RESULTS[mechanism.qualifier]
                return _Verdict(result, domain, mechanism.text, exp=record.exp)
        if record.redirect:
            self.where, self.term = domain, record.redirect.text
            return await self._redirected(record.redirect, domain)
        return _Verdict(Result.NEUTRAL, domain)

    async def _record(self, domain: str) -> SpfRecord | None:
        texts = spf_values((await self._answer(domain, "TXT")).values)
        self.where, self.term = domain, ""
        if len(texts) > 1:
            raise self.at_fault(Result.PERMERROR, "several_records")
        try:
            return parse_record(texts[0]) if texts else None
        except BadTerm as error:
            self.term = error.term
            raise self.at_fault(Result.PERMERROR, error.reason) from error

    async def _matches(self, mechanism: Mechanism, domain: str) -> bool:
        if mechanism.name == "all":
            return True
        if mechanism.network is not None:
            return self.ip in mechanism.network
        self._use_lookup()
        target = await self._target(mechanism.target, domain)
        match mechanism.name:
            case "include":
                return await self._included(target, mechanism, domain)
            case "a":
                return await self._matches_a(target, mechanism)
            case "mx":
                return await self._matches_mx(target, mechanism)
            case "ptr":
                return await self._matches_ptr(target)
        answer = await self._answer(target, "A")  # exists: A also for IPv6, RFC 7208, 5.7
        self._count_void(answer)
        return bool(answer.values)

    async def _included(self, target: str, mechanism: Mechanism, domain: str) -> bool:
        """RFC 7208, 5.2: only a pass matches; an included domain must have a record."""
        inner = await self.judge(target)
        self.where, self.term = domain, mechanism.text
        if inner.result is Result.NONE:
            raise self.at_fault(Result.PERMERROR, "include_without_record")
        return inner.result is Result.PASS

    async def _redirected(self, redirect: Modifier, domain: str) -> _Verdict:
        """RFC 7208, 6.1: the result of the other record stands for ours."""
        self._use_lookup()
        verdict = await self.judge(await self._target(redirect.value, domain))
        if verdict.result is Result.NONE:
            self.where, self.term = domain, redirect.text
            raise self.at_fault(Result.PERMERROR, "redirect_without_record")
        return verdict

    async def _matches_a(self, target: str, mechanism: Mechanism) -> bool:
        answer = await self._addresses_of(target)
        self._count_void(answer)
        return self._is_one_of(answer, mechanism)

    async def _matches_mx(self, target: str, mechanism: Mechanism) -> bool:
        answer = await self._answer(target, "MX")
        self._count_void(answer)
        hosts = [normal(value.partition(" ")[2]) for value in answer.values]
        if len(hosts) > MAX_HOSTS:
            raise self.at_fault(Result.PERMERROR, "too_many_mx")
        for host in hosts:
            if self._is_one_of(await self._addresses_of(host), mechanism):
                return True
        return False

    async def _matches_ptr(self, target: str) -> bool:
        names = await self._validated_names()
        return any(is_within(name, target) for name in names)

    async def _validated_names(self) -> list[str]:
        """The names of the client that lead back to it; what fails does not match (5.5)."""
        answer = await self._try(self.ip.reverse_pointer, "PTR")
        names = [normal(value) for value in answer.values[:MAX_HOSTS]]
        rdtype = "A" if self.ip.version == 4 else "AAAA"
        return [
            name for name in names if self.ip in _parsed((await self._try(name, rdtype)).values)
        ]

    async def _addresses_of(self, host: str) -> Answer:
        return await self._answer(host, "A" if self.ip.version == 4 else "AAAA")

    def _is_one_of(self, answer: Answer, mechanism: Mechanism) -> bool:
        shift = 32 - mechanism.ip4_prefix if self.ip.version == 4 else 128 - mechanism.ip6_prefix
        ours = int(self.ip) >> shift
        return any(
            address.version == self.ip.version and int(address) >> shift == ours
            for address in _parsed(answer.values)
        )

    def _use_lookup(self) -> None:
        if self.lookups_used == MAX_LOOKUPS:
            raise self.at_fault(Result.PERMERROR, "too_many_lookups")
        self.lookups_used += 1

    def _count_void(self, answer: Answer) -> None:
        """Count a term if its question found nothing; one too many ends the check."""
        self.void_lookups += not answer.values
        if self.void_lookups > self.max_void_lookups:
            raise self.at_fault(Result.PERMERROR, "too_many_void_lookups")

    async def _answer(self, name: str, rdtype: str) -> Answer:
        answer = await self._try(name, rdtype)
        if answer.outcome is Outcome.UNREACHABLE:
            raise self.at_fault(Result.TEMPERROR, "unreachable")
        return answer

    async def _try(self, name: str, rdtype: str) -> Answer:
        if not is_askable(name):
            return Answer(name, rdtype, Outcome.NO_NAME)
        return await self.ask(name, rdtype)

    async def _target(self, spec: MacroString | None, domain: str) -> str:
        """The name a term means; too long a name loses labels on the left (RFC 7208, 7.3)."""
        if spec is None:
            return domain
        return shortened(normal(await self._expanded(spec, domain)))

    async def _expanded(self, text: MacroString, domain: str) -> str:
        values = self._macro_values(domain) if text.letters else {}
        if "p" in text.letters:
            values["p"] = best_name(await self._validated_names(), domain)
        return text.expand(values)

    def _macro_values(self, domain: str) -> dict[str, str]:
        """RFC 7208, 7.2 and 7.4; p is not among them, as it must be asked for."""
        nibbles = f"{int(self.ip):032X}"
        local_part, _at, sender_domain = self.sender.rpartition("@")
        local_part = local_part or "postmaster"  # RFC 7208, 4.3
        sender_domain = sender_domain or self.domain
        return {
            "s": f"{local_part}@{sender_domain}",
            "l": local_part,
            "o": sender_domain,
            "d": domain,
            "i": str(self.ip) if self.ip.version == 4 else ".".join(nibbles),
            "v": "in-addr" if self.ip.version == 4 else "ip6",
            "h": self.helo,
            "c": str(self.ip),
            "r": self.receiver,
            "t": str(int(time.time())),
        }

    async def explain(self, verdict: _Verdict) -> str:
        """The text the domain gives for its fail; none if anything is wrong (RFC 7208, 6.2)."""
        if verdict.result is not Result.FAIL or verdict.exp is None:
            return ""
        name = await self._target(verdict.exp.value, verdict.where)
        answer = await self._try(name, "TXT")
        if len(answer.values) != 1:
            return ""
        try:
            text = parse_macro_string(answer.values[0], is_explanation=True)
        except BadTerm:
            return ""
        explanation = await self._expanded(text, verdict.where)
        # What the sender wrote is in it, and it goes into an SMTP reply.
        return explanation if _PRINTABLE.fullmatch(explanation) else ""


def _parsed(values: Iterable[str]) -> list[IPAddress]:
    addresses: list[IPAddress] = []
    for value in values:
        try:
            addresses.append(ip_address(value))
        except ValueError:
            continue  # nothing that a client could come from
    return addresses
