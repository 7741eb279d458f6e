"""The shape that the tools rely on."""

from __future__ import annotations

import subprocess
from pathlib import Path

import dns.resolver

CHECKOUT = Path(__file__).resolve().parent.parent


def test_dns_folder_is_never_a_package() -> None:
    assert not (CHECKOUT / "dns" / "__init__.py").exists()
    assert "site-packages" in str(dns.resolver.__file__)


def test_no_module_shadows_dnspython() -> None:
    for room in ("panel", "mailadmin", "dns", "deploy", "tests"):
        assert not list((CHECKOUT / room).rglob("dns.py"))
    assert not (CHECKOUT / "dns.py").exists()


def test_tests_are_no_package() -> None:
    assert not list((CHECKOUT / "tests").rglob("__init__.py"))


def test_required_top_level_is_there() -> None:
    for name in (
        "manage.py", "pyproject.toml", "README.md", "panel", "mailadmin", "dns", "templates",
        "static", "tests", "deploy", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md",
        "SECURITY.md", "LICENSE",
    ):  # fmt: skip
        assert (CHECKOUT / name).exists(), name


def test_every_environment_variable_is_listed() -> None:
    import re

    listed = (CHECKOUT / "deploy/panel/env.example").read_text()
    text = (CHECKOUT / "panel/settings.py").read_text()
    names = set(re.findall(r'(?:env\.\w+|secret|name_servers|zone_servers)\(\s*"([A-Z_]+)"', text))
    assert {name for name in names if name not in listed} == set()


def test_agent_needs_nothing_but_the_standard_library() -> None:
    code = (
        "import sys; sys.path.insert(0, 'deploy/mailhost'); import agent.__main__, helper.__main__"
    )
    subprocess.run(["/usr/bin/python3", "-I", "-S", "-c", code], cwd=CHECKOUT, check=True)
