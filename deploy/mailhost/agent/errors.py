from __future__ import annotations


class Refused(Exception):
    """An answer of no: a code, and facts for who asked."""

    def __init__(self, code: str, **facts: object) -> None:
        super().__init__(code)
        self.code = code
        self.facts = facts
