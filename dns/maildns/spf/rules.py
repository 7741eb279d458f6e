"""What can be said about SPF records: each code with its source, its weight and its effect."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from maildns.findings import Finding, Severity


class Effect(StrEnum):
    """What a finding does to the mail of the domain."""

    VOID = "void"  # permerror: the record says nothing, and nothing passes SPF
    UNPROTECTED = "unprotected"  # mail of strangers passes, or is not told from the domain's own
    IGNORED = "ignored"  # a part that is not read
    UNRELIABLE = "unreliable"  # works for some receivers, some clients, or some of the time
    HARMLESS = "harmless"


@dataclass(frozen=True)
class Rule:
    rfc: str
    severity: Severity
    effect: Effect


_ERROR, _WARNING, _NOTE = Severity.ERROR, Severity.WARNING, Severity.NOTE

RULES = {
    "several_records": Rule("7208 4.5", _ERROR, Effect.VOID),
    "too_many_lookups": Rule("7208 4.6.4", _ERROR, Effect.VOID),
    "too_many_void_lookups": Rule("7208 4.6.4", _ERROR, Effect.VOID),
    "too_many_mx": Rule("7208 4.6.4", _ERROR, Effect.VOID),
    "loop": Rule("7208 4.6.4", _ERROR, Effect.VOID),
    "include_without_record": Rule("7208 5.2", _ERROR, Effect.VOID),
    "redirect_without_record": Rule("7208 6.1", _ERROR, Effect.VOID),
    "pass_all": Rule("7208 5.1", _ERROR, Effect.UNPROTECTED),
    "neutral_all": Rule("7208 5.1", _WARNING, Effect.UNPROTECTED),
    "no_all": Rule("7208 4.7", _WARNING, Effect.UNPROTECTED),
    "no_record": Rule("7208 4.5", _WARNING, Effect.UNPROTECTED),
    "wide_network": Rule("7208 11.4", _WARNING, Effect.UNPROTECTED),
    "near_miss": Rule("7208 4.5", _WARNING, Effect.IGNORED),
    "after_all": Rule("7208 5.1", _WARNING, Effect.IGNORED),
    "redirect_and_all": Rule("7208 6.1", _WARNING, Effect.IGNORED),
    "mechanism_as_modifier": Rule("7208 6", _WARNING, Effect.IGNORED),
    "unknown_modifier": Rule("7208 6", _NOTE, Effect.IGNORED),
    "sender_id": Rule("7208 4.5", _NOTE, Effect.IGNORED),
    "ptr": Rule("7208 5.5", _WARNING, Effect.UNRELIABLE),
    "p_macro": Rule("7208 7.2", _WARNING, Effect.UNRELIABLE),
    "too_long": Rule("7208 3.4", _WARNING, Effect.UNRELIABLE),
    "void_lookup": Rule("7208 4.6.4", _WARNING, Effect.UNRELIABLE),
    "unreachable": Rule("7208 2.6.6", _WARNING, Effect.UNRELIABLE),
    "deadline": Rule("7208 4.6.4", _WARNING, Effect.UNRELIABLE),
    "not_followed": Rule("7208 7", _NOTE, Effect.HARMLESS),
    "private_network": Rule("7208 5.6", _NOTE, Effect.HARMLESS),
    "host_bits": Rule("7208 5.6", _NOTE, Effect.HARMLESS),
    "twice": Rule("7208 4.6.2", _NOTE, Effect.HARMLESS),
}
# Errors of the grammar, which carry their section themselves (RFC 7208, 4.6).
SYNTAX_ERRORS = frozenset(
    {
        "address_as_name",
        "bad_address",
        "bad_character",
        "bad_domain",
        "bad_macro",
        "bad_prefix_length",
        "bad_term",
        "modifier_twice",
        "no_argument",
        "no_domain",
        "qualified_modifier",
        "unknown_mechanism",
        "unwanted_argument",
    }
)


def finding(reason: str, where: str) -> Finding:
    rule = RULES[reason]
    return Finding(f"spf_{reason}", where, rule.rfc, rule.severity)


def syntax_finding(reason: str, where: str, rfc: str) -> Finding:
    return Finding(f"spf_{reason}", where, rfc, Severity.ERROR)


def effect_of(finding: Finding) -> Effect:
    """What a finding of lint_spf or count_lookups does to the mail of the domain."""
    reason = finding.code.removeprefix("spf_")
    return Effect.VOID if reason in SYNTAX_ERRORS else RULES[reason].effect
