"""Reads settings from the environment; a secret also from the file that `NAME_FILE` names."""

import os
import secrets
from pathlib import Path

import environ

env = environ.Env()


def secret(name: str, *, trial: bool) -> str:
    """Return the secret `name` from `NAME`, else from the file in `NAME_FILE`.

    In trial mode a missing secret is made up for this process; elsewhere it is an error.
    """
    if value := env.str(name, default=""):
        return str(value)
    if path := env.str(f"{name}_FILE", default=""):
        return Path(path).read_text(encoding="utf-8").strip()
    if trial:
        os.environ[name] = secrets.token_urlsafe(48)
        return os.environ[name]
    raise environ.ImproperlyConfigured(f"Set {name}, or {name}_FILE to a file that holds it.")
