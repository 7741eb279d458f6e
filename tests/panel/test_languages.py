"""German is complete: nothing untranslated, nothing doubtful, nothing left in English by mistake."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent.parent
# Words that are the same in both languages.
SAME = {
    "MTA-STS",
    "Plan",
    "DNS", "name", "Name", "zone", "Alias", "alias", "Domain", "domain", "domains", "Domains", "Mail",
    "Person", "Port", "agent", "at",
}  # fmt: skip


def entries(text: str) -> list[tuple[str, str, str]]:
    """Yield (flags, msgid, msgstr) of each entry but the header."""
    found = []
    for block in text.split("\n\n")[1:]:
        flags = " ".join(line for line in block.splitlines() if line.startswith("#,"))
        parts = dict(
            re.findall(r'^(msgid|msgstr(?:\[0\])?) ((?:"(?:[^"\\]|\\.)*"\n?)+)', block, re.M)
        )
        join = "".join
        texts = {k: join(re.findall(r'"((?:[^"\\]|\\.)*)"', v)) for k, v in parts.items()}
        if texts.get("msgid"):
            found.append((flags, texts["msgid"], texts.get("msgstr") or texts.get("msgstr[0]", "")))
    return found


def test_german_is_complete(tmp_path) -> None:
    for name in ("panel", "mailadmin", "dns", "templates", "locale"):
        shutil.copytree(CHECKOUT / name, tmp_path / name)
    subprocess.run(
        [sys.executable, "-m", "django", "makemessages", "-l", "de", "--no-obsolete"],
        cwd=tmp_path, check=True, capture_output=True,
    )  # fmt: skip
    found = entries((tmp_path / "locale/de/LC_MESSAGES/django.po").read_text())
    assert len(found) > 400
    assert [msgid for flags, msgid, msgstr in found if "fuzzy" in flags or not msgstr] == []
    assert {msgid for _flags, msgid, msgstr in found if msgid == msgstr} - SAME == set()


def test_german_uses_the_words_of_the_glossary() -> None:
    text = (CHECKOUT / "locale/de/LC_MESSAGES/django.po").read_text()
    german = " ".join(msgstr for _flags, _msgid, msgstr in entries(text))
    for never in ("Passwort", "Redirect", "Autoresponder", "Account", " du ", "Quota"):
        assert never not in german, never
