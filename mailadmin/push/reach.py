"""Whom mail would reach: what a host must answer to RCPT, worked out from the objects alone.

The host finds the same by its own tables (`maps/*.cf`); the proof holds the two together.
"""

from __future__ import annotations

from mailadmin import naming
from mailadmin.models import Address, Domain
from mailadmin.models.states import State
from mailadmin.push import render

TAKING = (State.ACTIVE, State.LOGIN_OFF)
TAKEN, UNKNOWN, BEING_MOVED = 250, 550, 450


def is_served(domain: Domain) -> bool:
    return render.effective_state(domain) in TAKING


def reply_to(address: Address) -> int:
    """What RCPT for this address is answered with."""
    return _reply(address.domain, taken=accepts(address))


def reply_to_unknown(domain: Domain) -> int:
    """What RCPT for a name that nobody has is answered with."""
    return _reply(domain, taken=takes_unknown(domain))


def _reply(domain: Domain, *, taken: bool) -> int:
    if not domain.is_received:
        return BEING_MOVED
    return TAKEN if taken else UNKNOWN


def accepts(address: Address) -> bool:
    """Whether RCPT for this address is answered with 250."""
    domain = address.domain
    if not domain.is_received or not is_served(domain):
        return False
    if address.state == State.TRASH:
        # An address in the trash is as unknown as one that never was.
        return address.local_part in naming.ALWAYS_REACHABLE or takes_unknown(domain)
    if _state(address) not in TAKING:
        return False
    if address.kind == Address.Kind.FORWARD:
        return any(is_read(target.email) for target in address.targets.all())
    return True


def takes_unknown(domain: Domain) -> bool:
    """Whether mail to a name that nobody has is accepted: by a catch-all that somebody reads."""
    if not domain.is_received:
        return False
    serving = domain.canonical or domain
    return bool(serving.catch_all) and is_served(domain) and is_read(serving.catch_all)


def is_read(email: str) -> bool:
    """Whether mail to this address ends with somebody: in a mailbox here, or outside.

    A domain whose mail still goes to its former provider is outside.
    Ways are walked to their end; one that leads in circles reaches nobody.
    """
    seen: set[str] = set()
    ahead = [email]
    while ahead:
        here = ahead.pop().lower()
        if here in seen:
            continue
        seen.add(here)
        ends, further = _one_step(here)
        if ends:
            return True
        ahead += further
    return False


def _one_step(email: str) -> tuple[bool, list[str]]:
    """Whether the way ends here with a reader, and where else it leads."""
    local_part, _at, name = email.rpartition("@")
    domain = render.domains().select_related("canonical").filter(name=name).first()
    if domain is None or not domain.is_received:
        return True, []
    home = domain.canonical or domain
    if not is_served(domain) or not is_served(home):
        return False, []
    base = local_part.partition("+")[0]
    there = render.addresses().exclude(state=State.TRASH)
    address = there.filter(domain=home, local_part=base).first()
    if address is None:
        reserved = base in naming.ALWAYS_REACHABLE
        return reserved, [home.catch_all] if home.catch_all else []
    if _state(address) not in TAKING:
        return False, []
    if address.kind == Address.Kind.MAILBOX:
        return True, []
    if address.kind == Address.Kind.ALIAS:
        return False, [address.alias.mailbox.address.email]
    return False, [target.email for target in address.targets.all()]


def _state(address: Address) -> State:
    if address.kind == Address.Kind.ALIAS:
        return State(render.address_row(address)["state"])
    return State(address.state)
