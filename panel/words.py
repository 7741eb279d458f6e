"""Sentences for codes: what agent, proof and audit keep as codes is said here, when it is shown."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _


def cause_sentence(code: str, facts: dict[str, Any]) -> str:
    """Say why a change is not live, for the person who made it."""
    reply = str(facts.get("reply", ""))
    texts = {
        "rcpt_refused": _("The mail host does not accept mail for this address yet."),
        "rcpt_accepted": _("The mail host still accepts mail for this address."),
        "rcpt_not_foreign": _("The mail host still takes this domain's mail for its own."),
        "rcpt_unreachable": _("The mail host's incoming server does not answer."),
        "login_refused": _("The mail host refuses the log-in."),
        "login_accepted": _("The mail host still allows the log-in."),
        "login_unreachable": _("The mail host's mailbox server does not answer."),
        "inbox_failed": _("The log-in works, but the mailbox cannot be opened."),
        "not_signed": _("The mail host does not sign with this key."),
        "signature_invalid": _("The signature does not fit the public key."),
        "signer_unreachable": _("The program that signs mail does not answer."),
        "agent_unreachable": _("The mail host cannot be reached at the moment."),
        "agent_silent": _("The mail host does not answer at the moment."),
        "agent_hung_up": _("The connection to the mail host broke."),
        "disk_full": _("The mail host's disk is full."),
        "helper_unreachable": _("A helper program on the mail host does not run."),
        "conflict": _("The mail host has another entry in this place."),
        "bad_row": _("The mail host refuses a value (%(field)s).")
        % {"field": facts.get("field", "?")},
        "fork": _("The mail host differs from our records; the operator must decide."),
        "mass_removal": _("Many mailboxes would be removed; the operator must agree."),
    }
    text = texts.get(code, _("The mail host reports: %(code)s.") % {"code": code})
    return f"{text} ({reply})" if reply else text


def reassurance() -> str:
    return _(
        "Your change is saved, but not active yet. The former settings still hold. "
        "We keep trying, and the operator is told."
    )


def event_sentence(code: str) -> str:
    """Say what an audit event is about; its subject stands beside it."""
    texts = {
        "mailbox.created": _("Mailbox set up"),
        "mailbox.password": _("Password changed"),
        "mailbox.quota": _("Storage changed"),
        "mailbox.name": _("Name changed"),
        "mailbox.forwarding": _("Forwarding of the mailbox changed"),
        "mailbox.state": _("Mailbox switched"),
        "mailbox.stopped": _("Mailbox stopped: log-in and sending off, its queue held"),
        "mailbox.lifted": _("Mailbox may send again"),
        "mailbox.trashed": _("Mailbox moved to the trash"),
        "mailbox.restored": _("Mailbox restored"),
        "mailbox.deleted": _("Mailbox deleted for ever"),
        "alias.created": _("Alias set up"),
        "alias.pointed": _("Alias leads to another mailbox"),
        "alias.state": _("Alias switched"),
        "alias.trashed": _("Alias moved to the trash"),
        "alias.restored": _("Alias restored"),
        "alias.deleted": _("Alias deleted for ever"),
        "forward.created": _("Forward set up"),
        "forward.targets": _("Targets of the forward changed"),
        "forward.state": _("Forward switched"),
        "forward.trashed": _("Forward moved to the trash"),
        "forward.restored": _("Forward restored"),
        "forward.deleted": _("Forward deleted for ever"),
        "domain.held": _("Domain added"),
        "domain.claimed": _("Domain claimed"),
        "domain.catch_all": _("Catch-all changed"),
        "domain.state": _("Domain switched"),
        "domain.elsewhere": _("Domain's mail left to its former provider"),
        "domain.here": _("Domain's mail taken here"),
        "domain.claim_withdrawn": _("Claim withdrawn"),
        "domain.contested": _("Domain proved that another account holds"),
        "domain.parked": _("Domain used without mail"),
        "domain.unparked": _("Domain used with mail again"),
        "domain.settled": _("Contested domain given to who proved it"),
        "domain.deleted": _("Domain deleted"),
        "domain.restored": _("Domain restored"),
        "domain.ended": _("Domain and its mail removed for ever"),
        "domain.sts": _("MTA-STS changed"),
        "domain.takeover_planned": _("Move of the mail planned"),
        "dns.access": _("Access to the DNS saved"),
        "dns.access_removed": _("Access to the DNS forgotten"),
        "dns.planned": _("DNS records planned"),
        "dns.published": _("DNS records written"),
        "dkim.staged": _("DKIM key made"),
        "dkim.retired": _("DKIM key void"),
        "dkim.compromised": _("DKIM keys declared stolen"),
        "host.ptr": _("PTR record written"),
        "dkim.signing": _("DKIM key signs from now on"),
        "account.created": _("Account created"),
        "account.plan": _("Plan changed"),
        "account.limit": _("Exception to the plan changed"),
        "account.state": _("Account switched"),
        "account.contact": _("Contact address changed"),
        "member.added": _("Person added"),
        "user.created": _("Log-in created"),
    }
    return texts.get(code, code)
