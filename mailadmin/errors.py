"""What a service can refuse, each with its facts as fields and its sentence in `for_user()`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from django.utils.translation import gettext as _
from django.utils.translation import ngettext


class MailAdminError(Exception):
    """A refusal that its user can do something about."""

    code: ClassVar[str] = "refused"
    # The form field that it is about, when there is one.
    field: ClassVar[str | None] = None

    def __init__(self, **facts: Any) -> None:
        super().__init__(self.code)
        self.facts = facts

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__dict__["facts"][name]
        except KeyError:
            raise AttributeError(name) from None

    def for_user(self) -> str:
        """Say what, why, and the way out, in the language of the reader."""
        return _("That is not possible.")


class NotFound(MailAdminError):
    """Absent, or not the actor's: the same answer for both."""

    code = "not_found"

    def for_user(self) -> str:
        return _("There is nothing here.")


class NotAllowed(MailAdminError):
    code = "not_allowed"

    def for_user(self) -> str:
        return _("You may look at this, but not change it.")


class ReasonMissing(MailAdminError):
    code = "reason_missing"
    field = "reason"

    def for_user(self) -> str:
        return _("Say why: the reason is kept with the change.")


class AddressTaken(MailAdminError):
    """`by` is mailbox, alias, forward or trash; `leads_to` is a list; `uid` names the address."""

    code = "address_taken"
    field = "local_part"

    def for_user(self) -> str:
        facts = {"address": self.address, "targets": ", ".join(self.leads_to)}
        if self.by == "trash":
            return (
                _(
                    "%(address)s is in the trash. Restore it there, or delete it for ever and start new."
                )
                % facts
            )
        if self.by == "forward":
            return _("%(address)s already exists (forwards to %(targets)s).") % facts
        if self.by == "alias":
            return _("%(address)s already exists (alias of %(targets)s).") % facts
        return _("%(address)s already exists (mailbox).") % facts


class AddressInUse(MailAdminError):
    """`used_by` lists the addresses that still need this one."""

    code = "address_in_use"

    def for_user(self) -> str:
        return _("%(address)s still has aliases: %(used_by)s. Delete them first.") % {
            "address": self.address,
            "used_by": ", ".join(self.used_by),
        }


class BadLocalPart(MailAdminError):
    """`reason` is a code; `suggestion` is a spelling that would do, or empty."""

    code = "bad_local_part"
    field = "local_part"

    def for_user(self) -> str:
        texts = {
            "empty": _("Enter the part before the @."),
            "too_long": _("The part before the @ may have at most 64 characters."),
            "umlaut": _("Umlauts do not work with every recipient."),
            "dots": _("A dot may not stand at the start, at the end, or beside another dot."),
            "other_domain": _("Enter only the part before the @, or an address of this domain."),
            "plus": _("A plus sign separates what a sender adds; leave it out here."),
            "forbidden": _("This name is reserved for the mail system."),
        }
        text = texts.get(
            self.reason,
            _(
                "Use letters a to z, digits, dot, hyphen and underscore, and begin with a letter or digit."
            ),
        )
        if self.suggestion:
            text += " " + _("Try %(suggestion)s.") % {"suggestion": self.suggestion}
        return text


class BadDomainName(MailAdminError):
    """`reason` is a code."""

    code = "bad_domain_name"
    field = "name"

    def for_user(self) -> str:
        texts = {
            "special": _("Names under .test, .example, .local and their like belong to nobody."),
            "public_suffix": _("This is an ending under which others register their domains."),
            "single": _("Enter a whole domain, such as example.com."),
            "ip": _("This is an IP address, not a domain."),
            "mixed_script": _("This name mixes scripts and looks like another one."),
            "too_long": _("A domain may have at most 253 characters, each part at most 63."),
        }
        return texts.get(self.reason, _("This is not a domain name."))


class BadTarget(MailAdminError):
    """`line` counts from 1; `text` is what was typed there; `reason` is a code."""

    code = "bad_target"
    field = "targets"

    def for_user(self) -> str:
        facts = {"line": self.line, "text": self.text}
        if self.reason == "too_many":
            return _("At most 50 targets are possible.")
        if self.reason == "empty":
            return _("Enter at least one address to forward to.")
        if self.reason == "special":
            return (
                _("Line %(line)d: %(text)s is not an e-mail address that mail can be sent to.")
                % facts
            )
        return _("Line %(line)d: %(text)s is not an e-mail address.") % facts


class WeakPassword(MailAdminError):
    code = "weak_password"
    field = "password"

    def for_user(self) -> str:
        texts = {
            "too_short": _("Use at least 10 characters; several words are easiest."),
            "too_long": _("At most 128 bytes are possible."),
            "control": _("Line breaks and other invisible characters are not possible."),
            "common": _("This password is on the lists that attackers try first."),
            "like_address": _("The password must not be the address itself."),
        }
        return texts[self.reason]


class LimitReached(MailAdminError):
    """`what` as in limits.WHATS, `allowed` and `used` as counts or MiB."""

    code = "limit_reached"

    def for_user(self) -> str:
        facts = {"allowed": self.allowed, "used": self.used}
        if self.what == "quota_mib":
            return (
                _(
                    "Your plan includes %(allowed)s MiB of storage, and %(used)s MiB are given out. "
                    "Give this mailbox less, or another one less first."
                )
                % facts
            )
        texts = {
            "mailboxes": ngettext(
                "Your plan includes %(allowed)s mailbox, and it is used. You can still add forwards.",
                "Your plan includes %(allowed)s mailboxes and all are used. You can still add forwards.",
                self.allowed or 0,
            ),
            "aliases": ngettext(
                "Your plan includes %(allowed)s alias, and it is used.",
                "Your plan includes %(allowed)s aliases and all are used.",
                self.allowed or 0,
            ),
            "forwards": ngettext(
                "Your plan includes %(allowed)s forward, and it is used.",
                "Your plan includes %(allowed)s forwards and all are used.",
                self.allowed or 0,
            ),
            "domains": ngettext(
                "Your plan includes %(allowed)s domain, and it is used.",
                "Your plan includes %(allowed)s domains and all are used.",
                self.allowed or 0,
            ),
        }
        return texts[self.what] % facts


class QuotaBelowUse(MailAdminError):
    code = "quota_below_use"
    field = "quota_mib"

    def for_user(self) -> str:
        return (
            _("%(used_mib)s MiB are in use. Give at least as much, or delete mail first.")
            % self.facts
        )


class LoopFound(MailAdminError):
    """`chain` lists the addresses of the loop, the first one again at the end."""

    code = "loop_found"
    field = "targets"

    def for_user(self) -> str:
        chain: Sequence[str] = self.chain
        return _("That would be a loop: %(chain)s.") % {"chain": " → ".join(chain)}


class NotInTrash(MailAdminError):
    code = "not_in_trash"

    def for_user(self) -> str:
        return _("%(address)s is not in the trash.") % self.facts


class StateConflict(MailAdminError):
    """`state` is what the address is in now."""

    code = "state_conflict"

    def for_user(self) -> str:
        if self.state == "trash":
            return _("%(address)s is in the trash. Restore it first.") % self.facts
        return _("%(address)s cannot be switched to that.") % self.facts


class AlreadyHeld(MailAdminError):
    """Says nothing of who holds it."""

    code = "already_held"
    field = "name"

    def for_user(self) -> str:
        return _("%(domain)s is not available.") % self.facts


class HostUnavailable(MailAdminError):
    code = "host_unavailable"

    def for_user(self) -> str:
        return _("No mail host takes new domains at the moment. The operator must add one.")
