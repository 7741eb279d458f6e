"""Users, and the accounts they act for: operator > reseller > customer."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from mailadmin.actors import Actor
from mailadmin.models.states import State


class UserManager(BaseUserManager["User"]):
    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        user = self.model(email=self.normalize_email(email).lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> User:
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)


class User(AbstractBaseUser, PermissionsMixin):
    """A person who logs in to the panel. Owners of a mailbox are no users."""

    email = models.EmailField(_("e-mail"), unique=True)
    name = models.CharField(_("name"), max_length=150, blank=True)
    language = models.CharField(_("language"), max_length=8, blank=True)
    is_active = models.BooleanField(_("active"), default=True)
    is_staff = models.BooleanField(_("operator's staff"), default=False)
    # Made by a trial; such a log-in is refused anywhere else.
    is_demo = models.BooleanField(default=False, editable=False)
    date_joined = models.DateTimeField(_("since"), default=timezone.now)

    objects: ClassVar[UserManager] = UserManager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"

    class Meta:
        verbose_name = _("user")
        verbose_name_plural = _("users")

    def __str__(self) -> str:
        return self.email

    def get_full_name(self) -> str:
        return self.name or self.email

    def get_short_name(self) -> str:
        return self.get_full_name()


class Plan(models.Model):
    """What an account may have. NULL is unlimited (the operator's word only), 0 is zero."""

    name = models.CharField(_("name"), max_length=80)
    owner = models.ForeignKey(
        "Account", models.CASCADE, related_name="plans", verbose_name=_("sold by")
    )
    max_domains = models.PositiveIntegerField(_("domains"), null=True, blank=True, default=1)
    max_mailboxes = models.PositiveIntegerField(_("mailboxes"), null=True, blank=True, default=10)
    max_aliases = models.PositiveIntegerField(_("aliases"), null=True, blank=True, default=50)
    max_forwards = models.PositiveIntegerField(_("forwards"), null=True, blank=True, default=50)
    max_quota_mib = models.PositiveBigIntegerField(
        _("storage (MiB)"), null=True, blank=True, default=20_480
    )
    default_quota_mib = models.PositiveBigIntegerField(
        _("storage of a new mailbox (MiB)"), default=2048
    )
    # Recipients within an hour; what is more is put off, and told.
    max_sent_mailbox = models.PositiveIntegerField(
        _("recipients an hour, of a mailbox"), null=True, blank=True, default=200
    )
    max_sent_domain = models.PositiveIntegerField(
        _("recipients an hour, of a domain"), null=True, blank=True, default=1000
    )
    max_sent_account = models.PositiveIntegerField(
        _("recipients an hour, of the account"), null=True, blank=True, default=2000
    )
    domains_by_word = models.BooleanField(
        _("reseller may vouch for domains"),
        default=False,
        help_text=_("His word then holds a domain without the proof by DNS."),
    )

    class Meta:
        verbose_name = _("plan")
        verbose_name_plural = _("plans")
        constraints = [models.UniqueConstraint(fields=["owner", "name"], name="plan_name_once")]

    def __str__(self) -> str:
        return self.name


class AccountQuerySet(models.QuerySet["Account"]):
    def visible_to(self, actor: Actor) -> AccountQuerySet:
        if actor.is_operator and actor.account is None:
            return self
        if actor.account is None:
            return self.none()
        if actor.domain_id is not None:
            return self.filter(pk=actor.account.pk)
        return self.filter(Q(pk=actor.account.pk) | Q(parent_id=actor.account.pk))


class Account(models.Model):
    """The operator, a reseller or a customer; a customer's parent is a reseller or the operator."""

    class Kind(models.TextChoices):
        OPERATOR = "operator", _("operator")
        RESELLER = "reseller", _("reseller")
        CUSTOMER = "customer", _("customer")

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(_("name"), max_length=150)
    kind = models.CharField(_("kind"), max_length=10, choices=Kind.choices, default=Kind.CUSTOMER)
    parent = models.ForeignKey(
        "self", models.PROTECT, null=True, blank=True, related_name="children", verbose_name=_("of")
    )
    plan = models.ForeignKey(
        Plan, models.PROTECT, null=True, blank=True, related_name="accounts", verbose_name=_("plan")
    )
    state = models.CharField(
        _("state"), max_length=10, choices=State.choices[:3], default=State.ACTIVE
    )
    contact_address = models.EmailField(
        _("contact address"),
        blank=True,
        help_text=_("Receives what is sent to postmaster@ and abuse@ until they are set up."),
    )
    created_at = models.DateTimeField(_("since"), default=timezone.now, editable=False)

    objects: ClassVar[models.Manager[Account]] = AccountQuerySet.as_manager()

    class Meta:
        verbose_name = _("account")
        verbose_name_plural = _("accounts")
        constraints = [
            models.CheckConstraint(
                condition=Q(kind="operator", parent=None)
                | ~Q(kind="operator") & Q(parent__isnull=False),
                name="only_the_operator_has_no_parent",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_reseller(self) -> bool:
        return self.kind == self.Kind.RESELLER

    def allowed(self, what: str) -> int | None:
        """The limit: an own exception, else the plan's. Without a plan nothing is allowed."""
        override = next((each for each in self.overrides.all() if each.what == what), None)
        if override is not None:
            return override.allowed
        if self.kind == Account.Kind.OPERATOR:
            return None
        return getattr(self.plan, f"max_{what}") if self.plan else 0

    def lineage(self) -> list[Account]:
        """Return the accounts from below the operator down to this one: at most two."""
        above = self.parent.lineage() if self.parent and self.parent.parent_id else []
        return [*above, self]


class Membership(models.Model):
    """A user's part in an account; with a domain it reaches that domain only."""

    class Role(models.TextChoices):
        OWNER = "owner", _("owner")
        MANAGER = "manager", _("manager")
        VIEWER = "viewer", _("viewer")

    user = models.ForeignKey(
        User, models.CASCADE, related_name="memberships", verbose_name=_("user")
    )
    account = models.ForeignKey(
        Account, models.CASCADE, related_name="memberships", verbose_name=_("account")
    )
    role = models.CharField(_("role"), max_length=8, choices=Role.choices, default=Role.OWNER)
    domain = models.ForeignKey(
        "Domain", models.CASCADE, null=True, blank=True, verbose_name=_("only this domain")
    )

    class Meta:
        verbose_name = _("membership")
        verbose_name_plural = _("memberships")
        constraints = [
            models.UniqueConstraint(fields=["user", "account", "domain"], name="membership_once"),
            models.UniqueConstraint(
                fields=["user", "account"],
                condition=Q(domain=None),
                name="membership_of_all_domains_once",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user} · {self.account} · {self.get_role_display()}"


class LimitOverride(models.Model):
    """One account's exception to its plan."""

    class What(models.TextChoices):
        DOMAINS = "domains", _("domains")
        MAILBOXES = "mailboxes", _("mailboxes")
        ALIASES = "aliases", _("aliases")
        FORWARDS = "forwards", _("forwards")
        QUOTA_MIB = "quota_mib", _("storage (MiB)")
        SENT_MAILBOX = "sent_mailbox", _("recipients an hour, of a mailbox")
        SENT_DOMAIN = "sent_domain", _("recipients an hour, of a domain")
        SENT_ACCOUNT = "sent_account", _("recipients an hour, of the account")

    account = models.ForeignKey(Account, models.CASCADE, related_name="overrides")
    what = models.CharField(_("limit"), max_length=12, choices=What.choices)
    allowed = models.PositiveBigIntegerField(
        _("allowed"), null=True, blank=True, help_text=_("Empty means unlimited.")
    )

    class Meta:
        verbose_name = _("exception to the plan")
        verbose_name_plural = _("exceptions to the plan")
        constraints = [
            models.UniqueConstraint(fields=["account", "what"], name="one_override_per_limit")
        ]

    def __str__(self) -> str:
        return f"{self.account}: {self.get_what_display()} {self.allowed}"
