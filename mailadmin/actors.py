"""Who acts: a value made at the door and passed on as `by=`. There is no current-user global."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from mailadmin.models import Account, User

Door = Literal["page", "api", "admin", "command"]
Role = Literal["operator", "owner", "manager", "viewer", "nobody"]


def new_change_id() -> str:
    return str(uuid.uuid4())


@dataclass(frozen=True)
class Actor:
    """A person at a door.

    `account` is the one acted for; None with the role "operator" means all of them. `domain_id`
    narrows the reach to one domain. `change_id` follows the change from the click to the agent.
    """

    user: User | None
    role: Role
    account: Account | None = None
    domain_id: int | None = None
    impersonator: User | None = None
    door: Door = "page"
    ip: str = ""
    change_id: str = field(default_factory=new_change_id)

    @property
    def is_operator(self) -> bool:
        return self.role == "operator"

    @property
    def may_write(self) -> bool:
        return self.role in ("operator", "owner", "manager")

    @property
    def label(self) -> str:
        return self.user.email if self.user else self.door


def operator_by_command() -> Actor:
    """The actor of a management command: whoever can run it holds the machine."""
    return Actor(user=None, role="operator", door="command")
