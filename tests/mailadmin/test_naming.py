from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailadmin import naming
from mailadmin.errors import BadDomainName, BadLocalPart, BadTarget

MAILHOST = Path(__file__).resolve().parents[2] / "deploy" / "mailhost"
CONTROLS = ["\n", "\r", "\0", "\t", "\x0b", "\x0c", "\x1b", "\x7f", "\x85", "\u2028", "\u2029"]
INVISIBLE = [
    "\u200b",
    "\u200c",
    "\u200d",
    "\u2060",
    "\ufeff",
    "\u00ad",
    "\u202e",
    "\u2066",
    "\ufe0f",
]


def refused_domain(text: str, *, allow_special: bool = False) -> str:
    with pytest.raises(BadDomainName) as caught:
        naming.canonical_domain(text, allow_special=allow_special)
    assert caught.value.for_user()
    return caught.value.reason


def refused_local_part(text: str) -> BadLocalPart:
    with pytest.raises(BadLocalPart) as caught:
        naming.parse_local_part(text)
    assert caught.value.for_user()
    return caught.value


def refused_target(text: str) -> str:
    with pytest.raises(BadTarget) as caught:
        naming.parse_target(text)
    assert caught.value.for_user()
    return caught.value.reason


# --- domains ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("example.com", "example.com"),
        ("  example.com ", "example.com"),
        ("mail.example.co.uk", "mail.example.co.uk"),
        ("müller.de", "xn--mller-kva.de"),
        ("mu\u0308ller.de", "xn--mller-kva.de"),
        ("xn--mller-kva.de", "xn--mller-kva.de"),
        ("XN--MLLER-KVA.DE", "xn--mller-kva.de"),
        ("пример.рф", "xn--e1afmkfd.xn--p1ai"),
        ("москва.com", "xn--80adxhks.com"),
        ("日本語ロゴ.jp", "xn--uck2fx80oncbk91h.jp"),
        ("kırmızı.com.tr", "xn--krmz-lzacb.com.tr"),
        ("www.ck", "www.ck"),
        ("mein-laden.github.io", "mein-laden.github.io"),
        ("a" * 63 + ".de", "a" * 63 + ".de"),
    ],
)
def test_domain_is_stored_as_lower_case_a_label(typed: str, stored: str) -> None:
    assert naming.canonical_domain(typed) == stored


@pytest.mark.parametrize(
    "typed",
    [
        "EXAMPLE.com", "example.com.", "Example.COM.", "example.com。",
        "example。com", "example．com", "example｡com", "ｅｘａｍｐｌｅ.ｃｏｍ",
    ],
)  # fmt: skip
def test_case_019_spellings_of_one_domain_are_one(typed: str) -> None:
    assert naming.canonical_domain(typed) == "example.com"


@pytest.mark.parametrize(
    "typed", ["%65xample.com", "example%2ecom", "example.com%00", "exam=ple.de"]
)
def test_case_019_percent_encoding_is_not_decoded(typed: str) -> None:
    assert refused_domain(typed) == "syntax"


@pytest.mark.parametrize(
    ("typed", "reason"),
    [
        ("example", "single"),
        ("de", "single"),
        ("localhost", "single"),
        ("co.uk", "public_suffix"),
        ("github.io", "public_suffix"),
        ("kawasaki.jp", "public_suffix"),
        ("foo.ck", "public_suffix"),
        ("example.nosuchending", "unknown_ending"),
        ("mail.localdomain", "unknown_ending"),
        ("example.test", "special"),
        ("example.local", "special"),
        ("service.internal", "special"),
        ("vww6ybal4bd7szmgncyruucpgfkqahzddi37ktceo3ah7ngmcopnpyyd.onion", "special"),
        ("2.0.192.in-addr.arpa", "special"),
        ("1.0.0.0.ip6.arpa", "special"),
        ("192.0.2.1", "ip"),
        ("192.0.2.1.", "ip"),
        ("１９２.０.２.１", "ip"),
        ("[192.0.2.1]", "ip"),
        ("[IPv6:2001:db8::1]", "ip"),
        ("2001:db8::1", "ip"),
        ("0x7f.1", "syntax"),
        ("192.0.2.0x1", "syntax"),
        ("*.example.com", "syntax"),
        ("_dmarc.example.com", "syntax"),
        (".example.com", "syntax"),
        ("example..com", "syntax"),
        ("example.com..", "syntax"),
        ("-example.com", "syntax"),
        ("example-.com", "syntax"),
        ("exa mple.com", "syntax"),
        ("example.com/", "syntax"),
        ("info@example.com", "syntax"),
        ("https://example.com", "syntax"),
        ("$myhostname", "syntax"),
        ("☃.net", "syntax"),
        ("", "syntax"),
        (".", "syntax"),
        ("a" * 64 + ".de", "too_long"),
        (".".join(["a" * 63] * 4) + ".de", "too_long"),
        ("ü" * 60 + ".de", "too_long"),
        ("a" * 100_000, "too_long"),
    ],
)
def test_case_018_what_nobody_can_hold_is_refused(typed: str, reason: str) -> None:
    assert refused_domain(typed) == reason


def test_domain_of_253_characters_is_the_longest() -> None:
    longest = ".".join(["a" * 63, "b" * 63, "c" * 63, "d" * 58]) + ".de"
    assert len(naming.canonical_domain(longest)) == 253
    assert len(naming.canonical_domain(f"{longest}.")) == 253
    assert refused_domain(longest.replace(".de", "d.de")) == "too_long"


def test_trial_may_hold_special_names_but_no_reverse_zone() -> None:
    assert naming.canonical_domain("example.test", allow_special=True) == "example.test"
    assert refused_domain("2.0.192.in-addr.arpa", allow_special=True) == "special"
    assert refused_domain("test", allow_special=True) == "single"


def test_case_020_sharp_s_is_another_domain() -> None:
    assert naming.canonical_domain("faß.de") == "xn--fa-hia.de"
    assert naming.canonical_domain("fass.de") == "fass.de"


@pytest.mark.parametrize(
    "typed",
    [
        "xn--a.com", "xn--.com", "xn--google-.com", "xn--xn--a-ecp.com", "ab--cd.com",
        "xn--99zzzz99.de", "xn--\u00fc.de", "a.xn--.de", "xn--fass.de",
    ],
)  # fmt: skip
def test_case_020_bogus_a_labels_are_refused(typed: str) -> None:
    assert refused_domain(typed) == "syntax"


@pytest.mark.parametrize("typed", ["аpple.com", "gооgle.de", "pаypal.com", "appleа.de", "mеin.рф"])
def test_case_021_mixed_scripts_are_refused(typed: str) -> None:
    assert refused_domain(typed) == "mixed_script"


@pytest.mark.parametrize(
    "typed",
    ["аррӏе.com", "xn--80ak6aa92e.com", "сосо.de", "ɡoogle.com", "mıcrosoft.com", "ɑmazon.de"],
)
def test_case_021_names_that_read_as_latin_are_refused(typed: str) -> None:
    assert refused_domain(typed) == "lookalike"


@pytest.mark.parametrize("char", CONTROLS + INVISIBLE)
@pytest.mark.parametrize(
    "pattern", ["exam{}ple.com", "{}example.com", "example.com{}", "müller{}.de"]
)
def test_case_027_domains_take_no_invisible_characters(char: str, pattern: str) -> None:
    assert refused_domain(pattern.format(char)) == "syntax"


@given(
    st.text(max_size=40)
    | st.from_regex(r"[a-zäöüßéаеœ0-9-]{1,10}\.(de|com|co\.uk)", fullmatch=True)
)
def test_canonical_form_of_a_canonical_domain_is_itself(text: str) -> None:
    try:
        name = naming.canonical_domain(text, allow_special=True)
    except BadDomainName:
        return
    assert re.fullmatch(r"[a-z0-9.-]+\.[a-z0-9-]+", name)
    assert naming.canonical_domain(name, allow_special=True) == name
    assert naming.canonical_domain(naming.display_domain(name), allow_special=True) == name


def test_domain_is_shown_as_people_write_it() -> None:
    assert naming.display_domain("xn--mller-kva.de") == "müller.de"
    assert naming.display_domain("example.com") == "example.com"
    assert naming.display_domain("xn--a.com") == "xn--a.com"


def test_domain_of_an_address_is_behind_the_last_at() -> None:
    assert naming.domain_of("info@example.test") == "example.test"


# --- local parts --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("info", "info"),
        (" Info ", "info"),
        ("POSTMASTER", "postmaster"),
        ("max.mustermann", "max.mustermann"),
        ("a-b_c.d", "a-b_c.d"),
        ("7", "7"),
        ("a" * 64, "a" * 64),
        # Storage goes by opaque ids, so these are names like any other (case 31).
        ("cur", "cur"),
        ("dovecot.index", "dovecot.index"),
    ],
)
def test_local_part_is_stored_in_lower_case(typed: str, stored: str) -> None:
    assert naming.parse_local_part(typed) == stored


@pytest.mark.parametrize(
    ("typed", "reason", "suggestion"),
    [
        ("müller", "umlaut", "mueller"),
        ("MÜLLER", "umlaut", "mueller"),
        ("mu\u0308ller", "umlaut", "mueller"),
        ("straße", "umlaut", "strasse"),
        ("Jörg Böhm", "umlaut", "joerg.boehm"),
        ("café", "foreign_letters", "cafe"),
        ("søren", "foreign_letters", "soren"),
        ("łukasz", "foreign_letters", "lukasz"),
        ("ｉｎｆｏ", "foreign_letters", "info"),
        ("инфо", "foreign_letters", ""),
        ("信息", "foreign_letters", ""),
        ("info+shop", "plus", "info"),
        ("+shop", "plus", ""),
        ("a..b", "dots", "a.b"),
        (".a", "dots", "a"),
        ("a.", "dots", "a"),
        ("..", "dots", ""),
        ("max mustermann", "characters", "max.mustermann"),
        ("info-", "characters", "info"),
        ("_info", "characters", "info"),
        ("a" * 65, "too_long", ""),
        ("a" * 100_000, "too_long", ""),
        ("", "empty", ""),
        ("   ", "empty", ""),
        ("mailer-daemon", "forbidden", ""),
        ("Root", "forbidden", ""),
    ],
)
def test_refused_local_part_says_why_and_what_would_do(
    typed: str, reason: str, suggestion: str
) -> None:
    refusal = refused_local_part(typed)
    assert (refusal.reason, refusal.suggestion) == (reason, suggestion)


def test_suggestion_is_part_of_the_sentence() -> None:
    sentence = refused_local_part("müller").for_user()
    assert sentence == "Umlauts do not work with every recipient. Try mueller@."


@pytest.mark.parametrize("char", CONTROLS + INVISIBLE)
@pytest.mark.parametrize("pattern", ["in{}fo", "{}info", "info{}"])
def test_case_027_local_parts_take_no_invisible_characters(char: str, pattern: str) -> None:
    refused_local_part(pattern.format(char))


@pytest.mark.parametrize(
    "typed",
    [
        "|cmd", ":include:/etc/passwd", "/etc/passwd", "a/b", "\\info", "#info", "$user", "%s",
        "a%b", "regexp:x", "a,b", "a:b", "a;b", "a!b", "a|b", "a`id`", "{PLAIN}x", "%{env:PATH}",
        '"a b"', "a'b", "<a>", "(a)", "[a]", "~a", "a=b", "a*b", "a?b", "a&b", "a^b",
    ],
)  # fmt: skip
def test_case_028_local_parts_take_no_map_syntax(typed: str) -> None:
    assert refused_local_part(typed).reason == "characters"


@pytest.mark.parametrize("typed", ["..", ".", "a/b", "../x", "%2e%2e", ".Trash", "a/../b"])
def test_case_031_local_parts_are_no_paths(typed: str) -> None:
    refused_local_part(typed)


@pytest.mark.parametrize(
    "typed", ["; id", "$(id)", "`id`", "-oProxyCommand=x", "-h", "--help", "a\nb"]
)
def test_case_032_local_parts_are_no_options_or_commands(typed: str) -> None:
    refused_local_part(typed)


@given(st.text(max_size=70))
def test_accepted_local_parts_are_whitelisted_and_suggestions_accepted(text: str) -> None:
    try:
        stored = naming.parse_local_part(text)
    except BadLocalPart as refusal:
        if refusal.suggestion:
            assert naming.parse_local_part(refusal.suggestion) == refusal.suggestion
        return
    assert re.fullmatch(r"[a-z0-9]([a-z0-9._-]{0,62}[a-z0-9])?", stored)
    assert ".." not in stored
    assert naming.parse_local_part(stored) == stored


# --- addresses typed into the field of a local part ---------------------------------------------


@pytest.mark.parametrize(
    ("typed", "domain"),
    [
        ("info", "example.test"),
        ("info@", "example.test"),
        ("info@example.test", "example.test"),
        (" INFO@Example.Test. ", "example.test"),
        ("info@müller.de", "xn--mller-kva.de"),
        ("info@xn--mller-kva.de", "xn--mller-kva.de"),
    ],
)
def test_whole_address_of_the_domain_is_accepted(typed: str, domain: str) -> None:
    assert naming.parse_address(typed, domain=domain) == "info"


@pytest.mark.parametrize(
    ("typed", "reason"),
    [
        ("info@example.org", "other_domain"),
        ("info@sub.example.test", "other_domain"),
        ("info@[127.0.0.1]", "other_domain"),
        ("info@xn--a.com", "other_domain"),
        ("a@b@example.test", "characters"),
        ("@example.test", "empty"),
        ("@", "empty"),
        ("müller@example.test", "umlaut"),
    ],
)
def test_other_addresses_are_refused(typed: str, reason: str) -> None:
    with pytest.raises(BadLocalPart) as caught:
        naming.parse_address(typed, domain="example.test")
    assert caught.value.reason == reason


def test_address_of_254_octets_is_the_longest() -> None:
    domain = ".".join(["d" * 63, "d" * 63, "d" * 59, "de"])
    assert len(domain) == 190
    assert naming.parse_address("a" * 63, domain=domain) == "a" * 63
    with pytest.raises(BadLocalPart) as caught:
        naming.parse_address("a" * 64, domain=domain)
    assert caught.value.reason == "address_too_long"


# --- targets of forwards ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("chef@example.com", "chef@example.com"),
        ("Chef@Example.COM", "chef@example.com"),
        ("o'neill+shop=x@example.com", "o'neill+shop=x@example.com"),
        ("a/b@example.com", "a/b@example.com"),
        ("_x@example.com", "_x@example.com"),
        ("info@müller.de", "info@xn--mller-kva.de"),
        ("a@faß.de", "a@xn--fa-hia.de"),
        ("steuer@outside.example", "steuer@outside.example"),
        ("a@example.com.", "a@example.com"),
        ("a" * 64 + "@example.com", "a" * 64 + "@example.com"),
    ],
)
def test_target_is_any_dot_string_in_canonical_form(typed: str, stored: str) -> None:
    assert naming.parse_target(typed) == stored


@pytest.mark.parametrize(
    "typed",
    [
        "", "chef", "chef@", "@example.com", "chef@example", "chef@@example.com", "a@b@example.com",
        "chef@gmail,com", "Chef <chef@example.com>", "a b@example.com", '"a b"@example.com',
        "a..b@example.com", ".a@example.com", "a.@example.com", "a@1.2.3.4", "a@[1.2.3.4]",
        "a@[IPv6:::1]", "a@xn--a.com", "a@exam_ple.com", "a@-example.com", "a@example..com",
        "müller@example.com", "a@аpple.com", "a" * 65 + "@example.com", "a@" + "b" * 64 + ".com",
        "a@" + "b" * 5000,
    ],
)  # fmt: skip
def test_target_that_is_no_address_is_refused(typed: str) -> None:
    assert refused_target(typed) == "syntax"


@pytest.mark.parametrize(
    "typed",
    [
        "|cmd", "|/bin/sh@example.com", '"|cmd"@example.com', ":include:/etc/passwd",
        ":include:/x@example.com", "/etc/passwd", "/var/mail/x@example.com", "\\info@example.com",
        "a%b@example.com", "a!b@example.com", "a|b@example.com", "a`id`@example.com",
        "${x}@example.com", "{PLAIN}@example.com", "-f@example.com", "a:b@example.com",
        "a;b@example.com", "a,b@example.com", "REJECT", "DISCARD", "FILTER x:y", "OK",
        "regexp:/x/", "%s", "@a.example,@b.example:c@example.com",
    ],
)  # fmt: skip
def test_case_028_targets_are_no_commands_files_or_lists(typed: str) -> None:
    assert refused_target(typed) == "syntax"


@pytest.mark.parametrize("char", CONTROLS + INVISIBLE)
@pytest.mark.parametrize(
    "pattern", ["a{}b@example.com", "{}a@example.com", "a@exam{}ple.com", "a@example.com{}"]
)
def test_case_027_targets_take_no_invisible_characters(char: str, pattern: str) -> None:
    assert refused_target(pattern.format(char)) == "syntax"


@pytest.mark.parametrize(
    "domain", ["localhost.localhost", "x.local", "x.onion", "2.0.192.in-addr.arpa"]
)
def test_target_to_which_no_mail_can_go_is_refused(domain: str) -> None:
    assert refused_target(f"root@{domain}") == "special"


def test_target_of_254_octets_is_the_longest() -> None:
    domain = ".".join(["d" * 63, "d" * 63, "d" * 59, "de"])
    assert len(naming.parse_target(f"{'a' * 63}@{domain}")) == 254
    assert refused_target(f"{'a' * 64}@{domain}") == "syntax"
    # Counted after the conversion: 61 letters before the @, yet 255 octets and more.
    assert refused_target(f"{'a' * 61}@ü{domain[5:]}") == "syntax"


def test_targets_come_one_per_line_or_between_commas_without_doubles() -> None:
    typed = "chef@example.com\r\n\n  b@example.com ,c@example.com;\tCHEF@example.com\t\n"
    assert naming.parse_targets(typed) == ["chef@example.com", "b@example.com", "c@example.com"]


def test_typo_is_found_in_its_line() -> None:
    with pytest.raises(BadTarget) as caught:
        naming.parse_targets("chef@example.com\n\nsteuer@gmail,b@example.com")
    assert (caught.value.line, caught.value.text) == (3, "steuer@gmail")
    assert caught.value.for_user() == "Line 3: steuer@gmail is not an e-mail address."


def test_hostile_text_is_shown_without_invisible_characters() -> None:
    with pytest.raises(BadTarget) as caught:
        naming.parse_targets("chef\u202e\x1b[2J@example.com" + "x" * 10_000)
    assert caught.value.text.isprintable()
    assert len(caught.value.text) == 100


@pytest.mark.parametrize("typed", ["", " \n\t\n", ",;,"])
def test_no_target_at_all_is_refused(typed: str) -> None:
    with pytest.raises(BadTarget) as caught:
        naming.parse_targets(typed)
    assert caught.value.reason == "empty"


def test_fifty_targets_are_the_most() -> None:
    lines = [f"a{number}@example.com" for number in range(51)]
    assert len(naming.parse_targets("\n".join([*lines[:50], lines[0]]))) == 50
    with pytest.raises(BadTarget) as caught:
        naming.parse_targets("\n".join(lines))
    assert caught.value.reason == "too_many"


# --- the agent's own whitelist ------------------------------------------------------------------

LIKELY = st.from_regex(r"[!-~ü]{1,12}@[a-zü0-9-]{1,8}\.(com|de|example)", fullmatch=True)


@given(st.text(max_size=60) | LIKELY)
def test_case_027_what_is_taken_as_a_target_the_agent_takes_too(text: str) -> None:
    validate = agent_validate()
    try:
        emails = naming.parse_targets(text)
    except BadTarget:
        return
    for email in emails:
        assert re.fullmatch(r"[!-~]+", email)
        assert naming.parse_targets(email) == [email]
        validate.target("targets", email)


@given(st.text(max_size=70) | st.from_regex(r"[A-Za-z0-9._-]{1,64}", fullmatch=True))
def test_case_027_what_is_taken_as_a_local_part_the_agent_takes_too(text: str) -> None:
    try:
        stored = naming.parse_local_part(text)
    except BadLocalPart:
        return
    agent_validate()._local_part("local_part", stored)


def agent_validate():
    """The module as the mail host runs it: its own package, not below ours."""
    if str(MAILHOST) not in sys.path:
        sys.path.insert(0, str(MAILHOST))
    return importlib.import_module("agent.validate")
