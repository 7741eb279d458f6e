"""How many lookups a record takes with all that it includes: RFC 7208, 4.6.4."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from maildns.answers import Answer, Ask, Outcome
from maildns.errors import BadTerm
from maildns.findings import Finding
from maildns.spf.evaluate import DEADLINE_SECONDS, MAX_HOSTS, MAX_VOID_LOOKUPS
from maildns.spf.macros import MacroString
from maildns.spf.names import is_askable, is_domain, normal
from maildns.spf.rules import finding, syntax_finding
from maildns.spf.terms import (
    ASKING,
    MAX_LOOKUPS,
    Mechanism,
    Modifier,
    SpfRecord,
    parse_record,
    spf_values,
)

# Enough to tell by how much a record is over the limit, and an end to every loop.
MAX_COUNTED = 30


@dataclass(frozen=True)
class LookupCount:
    """The most one check can take: a client that matches nothing until the end.

    `lookups` is counted up to 30. `void_lookups` are terms that find nothing for any client.
    `findings` are about this record and those it includes; `where` is a term of this record, or
    `<domain>: <term>` for a term of another.
    """

    lookups: int
    void_lookups: int
    findings: tuple[Finding, ...]


async def count_lookups(
    domain: str,
    ask: Ask,
    *,
    text: str | None = None,
    deadline_seconds: float = DEADLINE_SECONDS,
) -> LookupCount:
    """Count the lookups of the record at `domain`, or of `text` as if it were there already.

    Never raises for what the world says: a void record counts as far as it was read, with a
    finding. Names made of macros depend on the mail and are counted, but not followed.
    """
    count = _Count(ask, normal(domain))
    try:
        async with asyncio.timeout(deadline_seconds):
            await count.walk(count.domain, text, ())
    except TimeoutError:
        count.note("deadline", count.domain, "")
    if count.lookups > MAX_LOOKUPS:
        count.note("too_many_lookups", count.domain, "")
    if count.void_lookups > MAX_VOID_LOOKUPS:
        count.note("too_many_void_lookups", count.domain, "")
    return LookupCount(count.lookups, count.void_lookups, tuple(dict.fromkeys(count.findings)))


@dataclass
class _Count:
    ask: Ask
    domain: str
    lookups: int = 0
    void_lookups: int = 0
    findings: list[Finding] = field(default_factory=list)

    def note(self, reason: str, domain: str, term: str) -> None:
        self.findings.append(finding(reason, self._where(domain, term)))

    def _where(self, domain: str, term: str) -> str:
        return term if domain == self.domain else f"{domain}: {term}".removesuffix(": ")

    async def walk(self, domain: str, text: str | None, path: tuple[str, ...]) -> bool:
        """Count one record and those below it; false if there is certainly none."""
        texts = await self._texts(domain) if text is None else spf_values([text])
        if texts is None:
            self.note("unreachable", domain, "")
            return True
        if not texts:
            if not path:
                self.note("no_record", domain, "")
            return False
        if len(texts) > 1:
            self.note("several_records", domain, "")
        elif record := self._parsed(texts[0], domain):
            await self._count(record, domain, (*path, domain))
        return True

    async def _texts(self, domain: str) -> list[str] | None:
        if not is_domain(domain):
            return []
        answer = await self.ask(domain, "TXT")
        return None if answer.outcome is Outcome.UNREACHABLE else spf_values(answer.values)

    def _parsed(self, text: str, domain: str) -> SpfRecord | None:
        try:
            return parse_record(text)
        except BadTerm as error:
            where = self._where(domain, error.term)
            self.findings.append(syntax_finding(error.reason, where, error.rfc))
            return None

    async def _count(self, record: SpfRecord, domain: str, path: tuple[str, ...]) -> None:
        for mechanism in record.mechanisms:
            if mechanism.name in ASKING and self.lookups < MAX_COUNTED:
                self.lookups += 1
                await self._look_at(mechanism, domain, path)
        if record.redirect and self.lookups < MAX_COUNTED:
            self.lookups += 1
            await self._follow(record.redirect, record.redirect.value, domain, path)

    async def _look_at(self, mechanism: Mechanism, domain: str, path: tuple[str, ...]) -> None:
        target = mechanism.target
        if mechanism.name == "include" and target is not None:
            await self._follow(mechanism, target, domain, path)
        elif target is not None and target.letters:
            self.note("not_followed", domain, mechanism.text)
        elif mechanism.name != "ptr":  # that depends on the client
            name = domain if target is None else normal(target.expand({}))
            await self._look_up(mechanism, name, domain)

    async def _follow(
        self, term: Mechanism | Modifier, spec: MacroString, domain: str, path: tuple[str, ...]
    ) -> None:
        """Count the record that an include or a redirect names."""
        if spec.letters:
            self.note("not_followed", domain, term.text)
            return
        target = normal(spec.expand({}))
        if target in path:
            self.note("loop", domain, term.text)
        elif not await self.walk(target, None, path):
            self.note(f"{term.name}_without_record", domain, term.text)

    async def _look_up(self, mechanism: Mechanism, name: str, domain: str) -> None:
        rdtypes = {"a": ("A", "AAAA"), "mx": ("MX",), "exists": ("A",)}[mechanism.name]
        for rdtype in rdtypes:
            answer = await self._answer(name, rdtype)
            if answer.outcome is Outcome.UNREACHABLE:
                self.note("unreachable", domain, mechanism.text)
                return
            if answer.values:
                if rdtype == "MX" and len(answer.values) > MAX_HOSTS:
                    self.note("too_many_mx", domain, mechanism.text)
                return
        self.void_lookups += 1
        self.note("void_lookup", domain, mechanism.text)

    async def _answer(self, name: str, rdtype: str) -> Answer:
        if not is_askable(name):
            return Answer(name, rdtype, Outcome.NO_NAME)
        return await self.ask(name, rdtype)
