"""People and things: plain functions that save and return. Alice owns, Bob is her reseller,
Charlie is a stranger, Ada is the operator."""

from __future__ import annotations

from dataclasses import dataclass

from mailadmin.actors import Actor, operator_by_command
from mailadmin.models import (
    Account,
    Alias,
    Domain,
    Forward,
    Mailbox,
    MailHost,
    Membership,
    Plan,
    User,
)
from mailadmin.services import accounts, aliases, domains, forwards, mailboxes

PASSWORD = "blau-Segel-27-Ofen"
OPERATOR = operator_by_command()


def make_host(name: str = "mail.example.net") -> MailHost:
    return MailHost.objects.get_or_create(name=name, defaults={"agent_url": "unix:/nowhere"})[0]


def make_plan(owner: Account | None = None, **limits: int | None) -> Plan:
    owner = owner or accounts.the_operator()
    return Plan.objects.create(name=f"plan {Plan.objects.count()}", owner=owner, **limits)


def make_account(
    name: str, *, parent: Account | None = None, kind: str = "customer", **limits: int | None
) -> Account:
    plan = make_plan(parent or accounts.the_operator(), **limits)
    return accounts.create_account(
        name, Account.Kind(kind), plan=plan, by=OPERATOR, parent=parent,
        contact_address=f"{name.lower()}@outside.example",
    )  # fmt: skip


def make_user(email: str, account: Account | None = None, role: str = "owner", **fields) -> User:
    user = User.objects.create_user(email, PASSWORD, **fields)
    if account is not None:
        Membership.objects.create(user=user, account=account, role=role)
    return user


def actor(account: Account, role: str = "owner", domain: Domain | None = None) -> Actor:
    return Actor(user=None, role=role, account=account, domain_id=domain and domain.pk)  # type: ignore[arg-type]


def make_domain(owner: Account, name: str = "example.test") -> Domain:
    make_host()
    return domains.hold_domain_by_word(name, owner, reason="test", by=OPERATOR)


def make_mailbox(
    domain: Domain, local_part: str = "info", *, quota_mib: int | None = 100
) -> Mailbox:
    return mailboxes.create_mailbox(
        domain, local_part=local_part, password=PASSWORD, quota_mib=quota_mib, by=OPERATOR
    )


def make_alias(mailbox: Mailbox, local_part: str = "kontakt") -> Alias:
    return aliases.create_alias(
        mailbox.address.domain, local_part=local_part, mailbox=mailbox, by=OPERATOR
    )


def make_forward(
    domain: Domain, local_part: str = "team", targets: str = "x@outside.example"
) -> Forward:
    return forwards.create_forward(domain, local_part=local_part, targets=targets, by=OPERATOR)


@dataclass
class World:
    """Two tenants that must never touch each other."""

    bob: Account
    alice: Account
    charlie: Account
    domain: Domain
    mailbox: Mailbox
    foreign_domain: Domain
    foreign_mailbox: Mailbox


def make_world() -> World:
    bob = make_account(
        "Bob", kind="reseller", max_mailboxes=500, max_quota_mib=1_000_000, max_domains=50
    )
    rita = make_account(
        "Rita", kind="reseller", max_mailboxes=500, max_quota_mib=1_000_000, max_domains=50
    )
    alice = make_account("Alice", parent=bob, max_mailboxes=10)
    charlie = make_account("Charlie", parent=rita, max_mailboxes=10)
    domain, foreign = make_domain(alice), make_domain(charlie, "fremd.test")
    return World(
        bob, alice, charlie, domain, make_mailbox(domain), foreign, make_mailbox(foreign, "chef")
    )
