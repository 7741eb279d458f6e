"""The one configuration file that agent and helper read."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Config:
    """Paths are absolute; ports are on loopback."""

    state: Path
    hostname: str
    host_id: str
    http_port: int
    probe_smtp_port: int
    imaps_port: int
    rspamd_port: int
    vault_token_file: Path
    agent_user: str
    mail_user: str
    panel_group: str

    @property
    def lookup(self) -> Path:
        return self.state / "lookup" / "lookup.sqlite"

    @property
    def auth(self) -> Path:
        return self.state / "auth" / "auth.sqlite"

    @property
    def private(self) -> Path:
        return self.state / "private" / "private.sqlite"

    @property
    def agent_socket(self) -> Path:
        return self.state / "run" / "agent" / "agent.sock"

    @property
    def helper_socket(self) -> Path:
        return self.state / "run" / "helper" / "helper.sock"


def load(path: str) -> Config:
    facts = json.loads(Path(path).read_text(encoding="utf-8"))
    return Config(
        state=Path(facts["state"]),
        hostname=facts["hostname"],
        host_id=facts["host_id"],
        http_port=facts["http_port"],
        probe_smtp_port=facts["probe_smtp_port"],
        imaps_port=facts["imaps_port"],
        rspamd_port=facts["rspamd_port"],
        vault_token_file=Path(facts["vault_token_file"]),
        agent_user=facts["agent_user"],
        mail_user=facts["mail_user"],
        panel_group=facts["panel_group"],
    )
