"""Names of hosts and aliases to ours."""

from __future__ import annotations

import pytest

from maildns.names import autoconfig_records, is_address, is_host_name, lint_cname
from maildns.records import Record


@pytest.mark.parametrize(
    "name", ["mail.example.net", "a.b", "xn--mller-kva.example", "1.2.3.example", "3com.example"]
)
def test_names_of_hosts(name: str) -> None:
    assert is_host_name(name)


@pytest.mark.parametrize(
    "name",
    ["", ".", "mail", "localhost", "a_b.example", "-a.example", "a-.example", "A.example", "a.example.", "192.0.2.1", "a" * 64 + ".example", "a." * 127 + "example", "a.example\n"],
)  # fmt: skip
def test_what_is_no_name_of_a_host(name: str) -> None:
    assert not is_host_name(name)


@pytest.mark.parametrize(
    "text", ["192.0.2.1", "192.0.2.1.", "[192.0.2.1]", "2001:db8::1", "[IPv6:2001:db8::1]"]
)
def test_addresses_are_told_from_names(text: str) -> None:
    assert is_address(text)
    assert not is_address(f"x{text}")


def test_mail_programs_find_our_host_by_an_alias() -> None:
    assert autoconfig_records("example.com", "mail.panel.example") == (
        Record("autoconfig.example.com", "CNAME", "mail.panel.example"),
        Record("autodiscover.example.com", "CNAME", "mail.panel.example"),
    )


def test_an_alias_stands_alone() -> None:
    assert lint_cname(("mail.panel.example",)) == ()
    assert [f.code for f in lint_cname(("a.example", "b.example"))] == ["several"]
    assert [f.code for f in lint_cname(("a.example",), ("TXT", "MX"))] == ["alias_and_data"]
    assert [f.code for f in lint_cname(("192.0.2.1",))] == ["address"]
    assert lint_cname((), ("TXT",)) == ()
