"""Verbs of accounts, plans and people."""

from __future__ import annotations

from django.db import transaction
from django.db.models import Q

from mailadmin import access
from mailadmin.actors import Actor
from mailadmin.errors import LimitReached, NotAllowed
from mailadmin.models import Account, Domain, LimitOverride, Membership, Plan, User
from mailadmin.models.states import State
from mailadmin.push import hostrows
from mailadmin.services import audit, limits


def the_operator() -> Account:
    """The one operator account of an installation, made on first use."""
    account, _made = Account.objects.get_or_create(
        kind=Account.Kind.OPERATOR, defaults={"name": "Operator"}
    )
    return account


def create_operator_user(email: str, password: str, *, by: Actor, name: str = "") -> User:
    """Make a person who may do everything."""
    with transaction.atomic():
        user = User.objects.create_superuser(email, password, name=name)
        audit.record(by, "user.created", user, account=the_operator(), after={"operator": True})
    return user


def create_account(
    name: str,
    kind: Account.Kind,
    *,
    plan: Plan,
    by: Actor,
    parent: Account | None = None,
    contact_address: str = "",
) -> Account:
    """Create a reseller (operator only) or a customer below `parent`.

    Raises NotAllowed, LimitReached.
    """
    parent = parent or the_operator()
    access.may_write(by, parent)
    if kind == Account.Kind.OPERATOR or (kind == Account.Kind.RESELLER and not by.is_operator):
        raise NotAllowed
    if kind == Account.Kind.RESELLER and parent.kind != Account.Kind.OPERATOR:
        raise NotAllowed
    if parent.kind == Account.Kind.CUSTOMER:
        raise NotAllowed
    with transaction.atomic():
        account = Account.objects.create(
            name=name, kind=kind, parent=parent, contact_address=contact_address.lower()
        )
        _assign(account, plan)
        audit.record(by, "account.created", account, after={"plan": plan.pk, "kind": kind})
    return account


def assign_plan(account: Account, plan: Plan, *, by: Actor) -> None:
    """Give an account another plan. What is over the new limits stays; only new things wait."""
    if account.parent is None:
        raise NotAllowed
    access.may_write(by, account.parent)
    with transaction.atomic():
        before = account.plan_id
        _assign(account, plan)
        touch_domains(account, by=by)
        audit.record(by, "account.plan", account, before={"plan": before}, after={"plan": plan.pk})


def _assign(account: Account, plan: Plan) -> None:
    """A plan is its seller's to give, and all that a reseller has sold fits in what he holds."""
    if account.parent_id != plan.owner_id:
        raise NotAllowed
    limits.lock(account)
    account.plan = plan
    account.save(update_fields=["plan"])
    if account.parent and account.parent.is_reseller:
        refuse_overselling(account.parent)


def refuse_overselling(reseller: Account) -> None:
    """Raise LimitReached when what the customers may have is more than the reseller holds."""
    for what in limits.WHATS:
        held = limits.allowed(reseller, what)
        if held is None:
            continue
        sold = [limits.allowed(customer, what) for customer in reseller.children.all()]
        if None in sold or sum(filter(None, sold)) > held:
            raise LimitReached(what=what, allowed=held, used=sum(filter(None, sold)))


def override_limit(account: Account, what: str, allowed: int | None, *, by: Actor) -> None:
    """Make an exception to the plan; None is unlimited and the operator's word only."""
    if account.parent is None or (allowed is None and not by.is_operator):
        raise NotAllowed
    access.may_write(by, account.parent)
    with transaction.atomic():
        limits.lock(account)
        LimitOverride.objects.update_or_create(
            account=account, what=what, defaults={"allowed": allowed}
        )
        if account.parent.is_reseller:
            refuse_overselling(account.parent)
        if what in limits.RATES:
            touch_domains(account, by=by)
        audit.record(by, "account.limit", account, after={"what": what, "allowed": allowed})


def add_member(
    account: Account, user: User, role: Membership.Role, *, by: Actor, domain: Domain | None = None
) -> Membership:
    access.may_write(by, account)
    if domain is not None and domain.account_id != account.pk:
        raise NotAllowed
    with transaction.atomic():
        membership, _made = Membership.objects.update_or_create(
            account=account, user=user, domain=domain, defaults={"role": role}
        )
        audit.record(by, "member.added", account, after={"user": user.pk, "role": role})
    return membership


def create_user(
    email: str, password: str | None, *, by: Actor, name: str = "", language: str = ""
) -> User:
    """Make a person who belongs to nothing yet."""
    if not by.may_write:
        raise NotAllowed
    with transaction.atomic():
        user = User.objects.create_user(email, password, name=name, language=language)
        audit.record(by, "user.created", user)
    return user


def set_account_state(account: Account, state: State, *, by: Actor) -> Account:
    """Switch an account, and with it all its domains and those of the accounts below."""
    if account.parent is None:
        raise NotAllowed
    access.may_write(by, account.parent)
    with transaction.atomic():
        limits.lock(account)
        before, account.state = account.state, state
        account.save(update_fields=["state"])
        audit.record(by, "account.state", account, before={"state": before}, after={"state": state})
        touch_domains(account, by=by)
    return account


def change_contact(account: Account, contact_address: str, *, by: Actor) -> None:
    """Change where postmaster@ and its like lead."""
    access.may_write(by, account)
    with transaction.atomic():
        before, account.contact_address = account.contact_address, contact_address.lower()
        account.save(update_fields=["contact_address"])
        audit.record(
            by,
            "account.contact",
            account,
            before={"address": before},
            after={"address": account.contact_address},
        )
        touch_domains(account, by=by)


def touch_domains(account: Account, *, by: Actor) -> None:
    domains = Domain.objects.filter(Q(account=account) | Q(account__parent=account))
    hostrows.touch(*domains, by=by, bulk=domains.count() > 100)


def _touch_domains_of(plan: Plan, *, by: Actor) -> None:
    domains = Domain.objects.filter(account__plan=plan)
    hostrows.touch(*domains, by=by, bulk=domains.count() > 100)


def rename_account(account: Account, name: str, *, by: Actor) -> None:
    access.may_write(by, account)
    with transaction.atomic():
        before, account.name = account.name, name
        account.save(update_fields=["name"])
        audit.record(by, "account.name", account, before={"name": before}, after={"name": name})


def save_plan(plan: Plan, *, changed: list[str], by: Actor) -> None:
    """Make or change a plan; a reseller's plans together stay within what he holds.

    Only the operator gives "unlimited". Raises NotAllowed, LimitReached.
    """
    access.may_write(by, plan.owner)
    unlimited = any(getattr(plan, f"max_{what}") is None for what in limits.WHATS)
    if unlimited and not by.is_operator:
        raise NotAllowed
    with transaction.atomic():
        plan.save()
        if plan.owner.is_reseller:
            limits.lock(plan.owner)
            refuse_overselling(plan.owner)
        if any(f"max_{what}" in changed for what in limits.RATES):
            _touch_domains_of(plan, by=by)
        audit.record(by, "plan.saved", plan, account=plan.owner, after={"fields": changed})


def remove_part(part: Membership | LimitOverride, *, by: Actor) -> None:
    """Take a person out of an account, or an exception from its plan."""
    access.may_write(by, part.account)
    if isinstance(part, LimitOverride) and not by.is_operator:
        raise NotAllowed
    with transaction.atomic():
        kind = part._meta.model_name or ""
        audit.record(by, f"{kind}.removed", part.account, before={"key": part.pk})
        part.delete()
        if isinstance(part, LimitOverride) and part.what in limits.RATES:
            touch_domains(part.account, by=by)
