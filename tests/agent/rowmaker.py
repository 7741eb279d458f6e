"""Rows as the panel sends them, and batches of them."""

from __future__ import annotations

import subprocess
import uuid
from typing import Any

from agentproc import AgentProcess

HASH = "{ARGON2ID}$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQ$aGFzaGhhc2hoYXNo"
Row = dict[str, Any]


def domain(number: int = 1, name: str = "example.test", **fields: Any) -> Row:
    return {
        "kind": "domain", "key": str(number), "domain_id": number, "name": name, "state": "active",
        "canonical_id": None, "catch_all": None, "postmaster": "a@outside.example", "elsewhere": False,
        "account_id": 1, "rates": {"mailbox": None, "domain": None, "account": None},
        **fields,
    }  # fmt: skip


def mailbox(number: int, local_part: str, domain_id: int = 1, **fields: Any) -> Row:
    return {
        "kind": "address", "key": str(number), "domain_id": domain_id, "local_part": local_part,
        "type": "mailbox", "state": "active", "storage_id": f"{number:032x}", "quota_mib": 10,
        "keep_copy": True, "targets": [], "send_as": [f"{local_part}@example.test"],
        "credentials": [{"prefix": "", "hash": HASH, "protocols": ["imap"], "expires": None}], **fields,
    }  # fmt: skip


def forward(number: int, local_part: str, domain_id: int = 1) -> Row:
    return {
        "kind": "address", "key": str(number), "domain_id": domain_id, "local_part": local_part,
        "type": "forward", "state": "active", "targets": ["x@outside.example"],
    }  # fmt: skip


def key(number: int, domain_id: int = 1) -> Row:
    return {
        "kind": "dkim", "key": str(number), "domain_id": domain_id, "domain": "example.test",
        "selector": f"s{number}", "algorithm": "ed25519", "private_key": "A" * 43 + "=", "signing": True,
    }  # fmt: skip


def purge(storage_id: str) -> Row:
    return {"kind": "purge", "key": storage_id, "domain_id": 0, "storage_id": storage_id}


def without(row: Row) -> Row:
    return {"kind": row["kind"], "key": row["key"], "domain_id": row["domain_id"], "remove": True}


def position(agent: AgentProcess) -> dict[str, Any]:
    here = agent.call("hello")
    return {name: here[name] for name in ("epoch", "generation", "batch")}


def batch(agent: AgentProcess, *rows: Row, **more: Any) -> dict[str, Any]:
    """The arguments of `apply` for these rows, on top of where the agent stands."""
    base = position(agent)
    to = {
        "epoch": base["epoch"] or "e",
        "generation": base["generation"] + 1,
        "batch": str(uuid.uuid4()),
    }
    return {"token": 1, "base": base, "to": to, "rows": list(rows), **more}


def send(agent: AgentProcess, *rows: Row, **more: Any) -> dict[str, Any]:
    return agent.call("apply", **batch(agent, *rows, **more))


def verdicts(answer: dict[str, Any]) -> dict[str, str]:
    """{key: "ok" or the code} of an answer."""
    assert answer["ok"], answer
    return {each["key"]: each.get("code", "ok") for each in answer["results"]}


def contents(agent: AgentProcess) -> dict[str, list[tuple[Any, ...]]]:
    """What stands in the files, read from outside."""
    return {
        "domains": agent.rows("lookup", "SELECT id, name FROM domain ORDER BY id"),
        "auth domains": agent.rows("auth", "SELECT id, name FROM domain ORDER BY id"),
        "addresses": agent.rows("lookup", "SELECT id, local_part, quota_mib FROM address ORDER BY id"),
        "logins": agent.rows("auth", "SELECT address_id, local_part FROM login ORDER BY 1"),
        "hashes": agent.rows("auth", "SELECT address_id, hash FROM credential ORDER BY 1"),
        "keys": agent.rows("private", "SELECT id, selector FROM dkim ORDER BY 1"),
    }  # fmt: skip


def positions(agent: AgentProcess) -> set[tuple[Any, ...]]:
    return {
        agent.rows(name, "SELECT epoch, generation, batch FROM meta")[0]
        for name in ("private", "auth", "lookup")
    }


def limit_files(agent: AgentProcess, size: str) -> None:
    """No file may grow beyond `size` bytes, or "unlimited": to a program, that is a full disk."""
    assert agent.process is not None
    user = ["setpriv", "--reuid=pk-agent", "--regid=pk-agent", "--clear-groups"]
    limit = ["prlimit", "--pid", str(agent.process.pid), f"--fsize={size}:unlimited"]
    subprocess.run([*user, *limit], check=True)
