"""What a service can refuse, each with its facts as fields and its sentence in `for_user()`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext


@dataclass(eq=False, kw_only=True)
class MailAdminError(Exception):
    """A refusal that its user can do something about."""

    code: ClassVar[str] = "refused"
    # The form field that it is about, when there is one.
    field: ClassVar[str | None] = None

    def __str__(self) -> str:
        return repr(self)

    def for_user(self) -> str:
        """Say what, why, and the way out, in the language of the reader."""
        return _("That is not possible.")


@dataclass(eq=False, kw_only=True)
class NotFound(MailAdminError):
    """Absent, or not the actor's: the same answer for both."""

    code = "not_found"

    def for_user(self) -> str:
        return _("There is nothing here.")


@dataclass(eq=False, kw_only=True)
class NotAllowed(MailAdminError):
    code = "not_allowed"

    def for_user(self) -> str:
        return _("You may look at this, but not change it.")


@dataclass(eq=False, kw_only=True)
class ReasonMissing(MailAdminError):
    code = "reason_missing"
    field = "reason"

    def for_user(self) -> str:
        return _("Say why: the reason is kept with the change.")


@dataclass(eq=False, kw_only=True)
class AddressTaken(MailAdminError):
    """`leads_to` lists addresses; `uid` is for a link.

    `by` is mailbox, alias, forward, trash, or catch_all: a mailbox that takes unknown names too.
    """

    address: str
    by: str
    leads_to: Sequence[str]
    uid: str

    code = "address_taken"
    field = "local_part"

    def for_user(self) -> str:
        facts = {"address": self.address, "targets": ", ".join(self.leads_to)}
        if self.by == "trash":
            return (
                _(
                    "%(address)s is in the trash. "
                    "Restore it there, or delete it for ever and start new."
                )
                % facts
            )
        if self.by == "forward":
            return _("%(address)s already exists (forwards to %(targets)s).") % facts
        if self.by == "alias":
            return _("%(address)s already exists (alias of %(targets)s).") % facts
        if self.by == "catch_all":
            return _("%(address)s already exists (mailbox, and the catch-all leads to it).") % facts
        return _("%(address)s already exists (mailbox).") % facts


@dataclass(eq=False, kw_only=True)
class AddressInUse(MailAdminError):
    """`used_by` lists the addresses that still need this one."""

    address: str
    used_by: Sequence[str]

    code = "address_in_use"

    def for_user(self) -> str:
        return _("%(address)s still has aliases: %(used_by)s. Delete them first.") % {
            "address": self.address,
            "used_by": ", ".join(self.used_by),
        }


@dataclass(eq=False, kw_only=True)
class BadLocalPart(MailAdminError):
    """`reason` is a code; `suggestion` is a local part that would do, or empty."""

    reason: str
    suggestion: str
    text: str

    code = "bad_local_part"
    field = "local_part"

    def for_user(self) -> str:
        texts = {
            "empty": _("Enter the part before the @."),
            "too_long": _("The part before the @ may have at most 64 characters."),
            "address_too_long": _(
                "The whole address may have at most 254 characters. Choose a shorter name."
            ),
            "umlaut": _("Umlauts do not work with every recipient."),
            "foreign_letters": _(
                "Letters with accents or of other alphabets do not work with every recipient."
            ),
            "dots": _("A dot may not stand at the start, at the end, or beside another dot."),
            "other_domain": _("Enter only the part before the @, or an address of this domain."),
            "plus": _("A plus sign separates what a sender adds; leave it out here."),
            "forbidden": _("This name is reserved for the mail system. Choose another one."),
        }
        text = texts.get(
            self.reason,
            _(
                "Use letters a to z, digits, dot, hyphen and underscore; "
                "begin and end with a letter or digit."
            ),
        )
        if self.suggestion:
            text += " " + _("Try %(suggestion)s@.") % {"suggestion": self.suggestion}
        return text


@dataclass(eq=False, kw_only=True)
class BadDomainName(MailAdminError):
    """`reason` is a code."""

    reason: str
    text: str

    code = "bad_domain_name"
    field = "name"

    def for_user(self) -> str:
        texts = {
            "special": _("Names under .test, .example, .local and their like belong to nobody."),
            "public_suffix": _(
                "This is an ending under which others register their domains. "
                "Enter a domain of your own below it."
            ),
            "unknown_ending": _("There is no such ending. Check the part after the last dot."),
            "single": _("Enter a whole domain, such as example.com."),
            "ip": _("This is an IP address. Enter a domain, such as example.com."),
            "mixed_script": _(
                "This name mixes alphabets, so that it can look like another one. "
                "If it is really yours, ask the operator."
            ),
            "lookalike": _(
                "This name looks like another one in Latin letters. "
                "If it is really yours, ask the operator."
            ),
            "too_long": _("A domain may have at most 253 characters, each part at most 63."),
        }
        return texts.get(
            self.reason, _("This is not a domain name. Enter it like this: example.com.")
        )


@dataclass(eq=False, kw_only=True)
class BadTarget(MailAdminError):
    """`line` counts from 1, None where one address was asked for; `text` is what was typed there.

    `reason` is a code.
    """

    reason: str
    text: str = ""
    line: int | None = None

    code = "bad_target"
    field = "targets"

    def for_user(self) -> str:
        facts = {"line": self.line, "text": self.text}
        if self.reason == "too_many":
            return _("At most 50 targets are possible.")
        if self.reason == "empty":
            return _("Enter at least one address to forward to.")
        if self.reason == "special":
            if self.line is None:
                return _("No mail can be sent to %(text)s from here.") % facts
            return _("Line %(line)d: no mail can be sent to %(text)s from here.") % facts
        if self.line is None:
            return _("%(text)s is not an e-mail address.") % facts
        return _("Line %(line)d: %(text)s is not an e-mail address.") % facts


@dataclass(eq=False, kw_only=True)
class WeakPassword(MailAdminError):
    """`reason` is a code. The password itself is no fact: it would reach the logs."""

    reason: str

    code = "weak_password"
    field = "password"

    def for_user(self) -> str:
        texts = {
            "too_short": _("Use at least 10 characters; several words are easiest."),
            "too_long": _("At most 128 bytes are possible; that is 128 letters without accents."),
            "control": _("Line breaks and other invisible characters are not possible."),
            "common": _(
                "Attackers try passwords like this one first. Several unrelated words are better."
            ),
            "like_address": _(
                "The password must not be the address, or a part of it with a number."
            ),
        }
        return texts[self.reason]


@dataclass(eq=False, kw_only=True)
class LimitReached(MailAdminError):
    """`what` as in limits.WHATS, `allowed` and `used` as counts or MiB."""

    what: str
    allowed: int | None
    used: int

    code = "limit_reached"

    def for_user(self) -> str:
        facts = {"allowed": self.allowed, "used": self.used}
        count = self.allowed or 0
        if self.what == "quota_mib":
            return (
                _(
                    "Your plan includes %(allowed)s MiB of storage, "
                    "and %(used)s MiB are given out. "
                    "Give this mailbox less, or another one less first."
                )
                % facts
            )
        texts = {
            "mailboxes": ngettext(
                "Your plan includes %(allowed)s mailbox, and it is used. "
                "You can still add forwards.",
                "Your plan includes %(allowed)s mailboxes and all are used. "
                "You can still add forwards.",
                count,
            ),
            "aliases": ngettext(
                "Your plan includes %(allowed)s alias, and it is used. Delete one you do not need.",
                "Your plan includes %(allowed)s aliases and all are used. "
                "Delete one you do not need.",
                count,
            ),
            "forwards": ngettext(
                "Your plan includes %(allowed)s forward, and it is used. "
                "Delete one you do not need.",
                "Your plan includes %(allowed)s forwards and all are used. "
                "Delete one you do not need.",
                count,
            ),
            "domains": ngettext(
                "Your plan includes %(allowed)s domain, and it is used. A larger plan has more.",
                "Your plan includes %(allowed)s domains and all are used. A larger plan has more.",
                count,
            ),
        }
        return texts[self.what] % facts


@dataclass(eq=False, kw_only=True)
class QuotaBelowUse(MailAdminError):
    used_mib: int

    code = "quota_below_use"
    field = "quota_mib"

    def for_user(self) -> str:
        return _("%(used_mib)s MiB are in use. Give at least as much, or delete mail first.") % {
            "used_mib": self.used_mib
        }


@dataclass(eq=False, kw_only=True)
class LoopFound(MailAdminError):
    """`chain` lists the addresses of the loop in order, the last one being the repeated one."""

    chain: Sequence[str]

    code = "loop_found"
    field = "targets"

    def for_user(self) -> str:
        return _("That would be a loop: %(chain)s.") % {"chain": " → ".join(self.chain)}


@dataclass(eq=False, kw_only=True)
class RouteTooLarge(MailAdminError):
    """`hops` and `recipients` are what one mail may take; None for the one that is not exceeded."""

    address: str
    hops: int | None = None
    recipients: int | None = None

    code = "route_too_large"
    field = "targets"

    def for_user(self) -> str:
        facts = {"address": self.address, "hops": self.hops, "recipients": self.recipients}
        if self.recipients is not None:
            return (
                _(
                    "One mail to %(address)s would become more than %(recipients)s. "
                    "Leave out targets that lead to many; a mailing list is made for that."
                )
                % facts
            )
        return (
            _(
                "Mail to %(address)s would pass through more than %(hops)s addresses. "
                "Forward to the last of them directly."
            )
            % facts
        )


@dataclass(eq=False, kw_only=True)
class NotInTrash(MailAdminError):
    address: str

    code = "not_in_trash"

    def for_user(self) -> str:
        return _("%(address)s is not in the trash.") % {"address": self.address}


@dataclass(eq=False, kw_only=True)
class StateConflict(MailAdminError):
    """`state` is what the address is in now."""

    address: str
    state: str

    code = "state_conflict"

    def for_user(self) -> str:
        facts = {"address": self.address}
        if self.state == "trash":
            return _("%(address)s is in the trash. Restore it first.") % facts
        return _("%(address)s cannot be switched to that.") % facts


@dataclass(eq=False, kw_only=True)
class AlreadyHeld(MailAdminError):
    """Says nothing of who holds it, but for the account that asks."""

    domain: str
    by_you: bool = False

    code = "already_held"
    field = "name"

    def for_user(self) -> str:
        if self.by_you:
            return _("%(domain)s is already yours.") % {"domain": self.domain}
        return _("%(domain)s is not available.") % {"domain": self.domain}


@dataclass(eq=False, kw_only=True)
class HostUnavailable(MailAdminError):
    code = "host_unavailable"

    def for_user(self) -> str:
        return _("No mail host takes new domains at the moment. The operator must add one.")


@dataclass(eq=False, kw_only=True)
class NameReserved(MailAdminError):
    """A name that only the operator may take in."""

    domain: str

    code = "name_reserved"
    field = "name"

    def for_user(self) -> str:
        return _("%(domain)s cannot be claimed here. If it is really yours, ask the operator.") % {
            "domain": self.domain
        }


@dataclass(eq=False, kw_only=True)
class NameBelowAnother(MailAdminError):
    """A name below a domain that somebody else has here."""

    domain: str

    code = "name_below_another"
    field = "name"

    def for_user(self) -> str:
        return _(
            "%(domain)s lies below a domain of another account. "
            "The operator can add it for you when its owner agrees."
        ) % {"domain": self.domain}


@dataclass(eq=False, kw_only=True)
class NotContested(MailAdminError):
    """A claim that is not proved, or whose domain nobody else holds."""

    domain: str

    code = "not_contested"
    field = "name"

    def for_user(self) -> str:
        return _("%(domain)s has not been proved by this account while another holds it.") % {
            "domain": self.domain
        }


@dataclass(eq=False, kw_only=True)
class NotStopped(MailAdminError):
    """A mailbox that nobody has stopped."""

    address: str

    code = "not_stopped"
    field = "address"

    def for_user(self) -> str:
        return _("%(address)s is not stopped.") % {"address": self.address}


@dataclass(eq=False, kw_only=True)
class DomainParked(MailAdminError):
    """The domain is one without mail."""

    domain: str

    code = "domain_parked"
    field = "domain"

    def for_user(self) -> str:
        return _("%(domain)s is a domain without mail. Use it with mail first.") % {
            "domain": self.domain
        }


@dataclass(eq=False, kw_only=True)
class DomainInUse(MailAdminError):
    """A domain with addresses cannot be one without mail."""

    domain: str

    code = "domain_in_use"
    field = "domain"

    def for_user(self) -> str:
        return _("%(domain)s still has addresses or a catch-all. Delete them first.") % {
            "domain": self.domain
        }


@dataclass(eq=False, kw_only=True)
class DomainDeleted(MailAdminError):
    """The name rests after a deletion; `until` is when it is free."""

    domain: str
    until: datetime

    code = "domain_deleted"
    field = "name"

    def for_user(self) -> str:
        return _("%(domain)s was deleted here. The name is free again on %(day)s.") % {
            "domain": self.domain,
            "day": date_format(self.until, "DATE_FORMAT"),
        }


@dataclass(eq=False, kw_only=True)
class StsNotReady(MailAdminError):
    """`ready_at` is when it may be switched on; None as long as something is wrong."""

    ready_at: datetime | None

    code = "sts_not_ready"

    def for_user(self) -> str:
        if self.ready_at is None:
            return _(
                "MTA-STS can be enforced once its records, the MX record and the mail host's "
                "certificate have been right for seven days."
            )
        return _("MTA-STS can be enforced from %(at)s on, if all stays right until then.") % {
            "at": date_format(self.ready_at, "SHORT_DATETIME_FORMAT")
        }


@dataclass(eq=False, kw_only=True)
class BadAccess(MailAdminError):
    """What a provider of DNS is reached with is missing or is none; `reason` is a code."""

    option: str
    reason: str

    code = "bad_access"

    def for_user(self) -> str:
        texts = {
            "unknown": _("Choose one of the list."),
            "address": _("Enter the IP address of the primary name server."),
            "private": _("This address is in a private network; it cannot be reached from here."),
            "port": _("Enter a port from 1 to 65535."),
            "name": _("Enter the name of the key as the name server knows it."),
            "algorithm": _("Choose one of the list."),
            "choice": _("Choose one of the list."),
            "base64": _("The secret must be base64, as the name server's tool prints it."),
            "short": _("The secret is too short: at least 16 bytes, as base64."),
            "path": _("Enter an address, not a path."),
        }
        return texts.get(self.reason, _("This is not complete."))
