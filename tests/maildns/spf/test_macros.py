from __future__ import annotations

import pytest

from maildns.errors import BadTerm
from maildns.spf.macros import parse_domain_spec, parse_macro_string

# RFC 7208, 7.4.
VALUES = {
    "s": "strong-bad@email.example.com",
    "l": "strong-bad",
    "o": "email.example.com",
    "d": "email.example.com",
    "i": "192.0.2.3",
    "v": "in-addr",
    "h": "mx.example.org",
    "p": "mx.example.org",
}
IPV6 = {"i": "2.0.0.1.0.D.B.8.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.C.B.0.1", "v": "ip6"}


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("%{s}", "strong-bad@email.example.com"),
        ("%{o}", "email.example.com"),
        ("%{d}", "email.example.com"),
        ("%{d4}", "email.example.com"),
        ("%{d3}", "email.example.com"),
        ("%{d2}", "example.com"),
        ("%{d1}", "com"),
        ("%{dr}", "com.example.email"),
        ("%{d2r}", "example.email"),
        ("%{l}", "strong-bad"),
        ("%{l-}", "strong.bad"),
        ("%{lr}", "strong-bad"),
        ("%{lr-}", "bad.strong"),
        ("%{l1r-}", "strong"),
        ("%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com"),
        ("%{lr-}.lp._spf.%{d2}", "bad.strong.lp._spf.example.com"),
        (
            "%{lr-}.lp.%{ir}.%{v}._spf.%{d2}",
            "bad.strong.lp.3.2.0.192.in-addr._spf.example.com",
        ),
        ("%{ir}.%{v}.%{l1r-}.lp._spf.%{d2}", "3.2.0.192.in-addr.strong.lp._spf.example.com"),
        ("%{d2}.trusted-domains.example.net", "example.com.trusted-domains.example.net"),
        ("%{S}", "strong-bad%40email.example.com"),
        ("%%%_%-", "% %20"),
        ("%{d9999999999999999999999}", "email.example.com"),
        ("%{d" + "9" * 5000 + "}", "email.example.com"),
        ("%{L1R-}", "strong"),
    ],
)
def test_expansions_of_the_rfc(text: str, expanded: str) -> None:
    assert parse_macro_string(text).expand(VALUES) == expanded


def test_ipv6_address_is_expanded_by_nibbles() -> None:
    expanded = parse_macro_string("%{ir}.%{v}._spf.%{d2}").expand(VALUES | IPV6)
    assert expanded.startswith("1.0.B.C.0.0.") and expanded.endswith("1.0.0.2.ip6._spf.example.com")


@pytest.mark.parametrize(
    "text", ["%", "%x", "%{", "%{}", "%{x}", "%{d", "%{d0}", "%{dx}", "%{d-r}", "%(d)", "%{c}", "a b"]
)  # fmt: skip
def test_broken_macro_is_refused(text: str) -> None:
    with pytest.raises(BadTerm):
        parse_macro_string(text)


def test_three_letters_are_for_explanations() -> None:
    text = parse_macro_string("%{c} %{r} %{t}", is_explanation=True)
    assert text.expand({"c": "1", "r": "2", "t": "3"}) == "1 2 3"


@pytest.mark.parametrize(
    "text",
    ["a.example", "a.example.", "_x.%{d}", "%{d}", "a.%-", "a:b/c.example", "x.xn--zckzah", "a.1b", "a.1-2"],
)  # fmt: skip
def test_domain_ends_in_a_top_label_or_a_macro(text: str) -> None:
    assert parse_domain_spec(text).text == text


@pytest.mark.parametrize(
    "text", ["", "museum", "museum.", "a.1", "a.-b", "a.b-", "a..", ".", "%{d}a", "a.b_c", "a.b:1", "\xe4.de"]
)  # fmt: skip
def test_other_ends_are_refused(text: str) -> None:
    with pytest.raises(BadTerm):
        parse_domain_spec(text)
