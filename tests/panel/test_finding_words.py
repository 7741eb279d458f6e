"""Every code that the linters and the checks know has a sentence of its own."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import maildns
from maildns.check import Hint
from maildns.findings import Finding, Severity
from maildns.hosters import Note, NoteCode
from maildns.spf import rules
from maildns.takeover import KeepReason, StepCode
from panel import findingwords, movingwords

FOLDER = Path(maildns.__path__[0])
KINDS = ["mx", "dmarc", "dkim", "mta_sts", "tls_rpt", "srv"]
# Only raised for what we make ourselves, and never found.
OWN = {("dkim", "private_key"), ("dkim", "selector"), ("dmarc", "fo")}


def called(name: str, *functions: str) -> Iterator[str]:
    """The first arguments, as they are written, of all calls of these functions in a module."""
    for node in ast.walk(ast.parse((FOLDER / name).read_text())):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        function = node.func.id if isinstance(node.func, ast.Name) else ""
        first = node.args[0]
        if function in functions and isinstance(first, ast.Constant) and first.value:
            yield str(first.value)


def codes() -> list[tuple[str, str]]:
    found = {
        (kind, code)
        for kind in KINDS
        for code in called(f"{kind}.py", "Finding", "BadRecord")
        if (kind, code) not in OWN
    }
    found |= {("mta_sts_host", code) for code in called("names.py", "Finding")}
    found |= {("dmarc", code) for code in ("version_not_first", "version_case", "escaped")}
    return sorted(found)


@pytest.mark.parametrize(("kind", "code"), codes())
def test_each_code_of_a_linter_has_a_sentence(kind, code) -> None:
    sentence = findingwords.finding_sentence(kind, Finding(code, "x", "1 1", Severity.ERROR))
    assert f"({code})" not in sentence and sentence.endswith((".", "?"))


@pytest.mark.parametrize("code", sorted(rules.RULES))
def test_each_code_of_spf_has_a_sentence(code) -> None:
    finding = rules.finding(code, "x")
    assert f"({code})" not in findingwords.finding_sentence("spf", finding)


@pytest.mark.parametrize("code", sorted(rules.SYNTAX_ERRORS))
def test_each_fault_of_the_grammar_of_spf_has_a_sentence(code) -> None:
    assert f"({code})" not in findingwords.finding_sentence(
        "spf", Finding(f"spf_{code}", "x", "7208 4.6", Severity.ERROR)
    )


def test_unknown_code_is_shown() -> None:
    finding = Finding("strange", "x", "1 1", Severity.NOTE)
    assert "(strange)" in findingwords.finding_sentence("mx", finding)


@pytest.mark.parametrize("hint", list(Hint))
def test_each_hint_has_a_sentence(hint) -> None:
    assert findingwords.hint_sentence(hint)


@pytest.mark.parametrize(
    "reason", sorted({*called("resolver.py", "_Failed"), "servfail", "refused", "no_delegation"})
)
def test_each_reason_of_silence_has_a_sentence(reason) -> None:
    assert f"({reason})" not in findingwords.unreachable_sentence(reason)


@pytest.mark.parametrize(
    "result", ["pass", "fail", "softfail", "neutral", "none", "permerror", "temperror"]
)
def test_each_result_of_spf_has_a_sentence(result) -> None:
    sentence = findingwords.spf_sentence({"result": result, "lookups_used": 7})
    assert "7 of 10" in sentence and not sentence.startswith(result)


def test_everything_about_a_move_has_a_sentence() -> None:
    assert all(movingwords.note_sentence(Note(code, "")) for code in NoteCode)
    assert all(movingwords.step_sentence(code) for code in StepCode)
    assert all(movingwords.keep_sentence(code) for code in KeepReason)


@pytest.mark.parametrize(
    "code", sorted({*called("zone_findings.py", "Finding"), *called("takeover.py", "Finding")})
)
def test_each_finding_of_a_move_has_a_sentence(code) -> None:
    assert f"({code})" not in movingwords.finding_sentence(code)
