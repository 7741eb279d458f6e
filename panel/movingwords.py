"""Sentences for entering records at a hoster, and for moving a domain's mail here."""

from __future__ import annotations

from django.utils.translation import gettext as _

from maildns.hosters import Note, NoteCode
from maildns.takeover import KeepReason, StepCode


def note_sentence(note: Note) -> str:
    """What to know before entering a record at this hoster."""
    facts = {"argument": note.argument}
    texts = {
        NoteCode.SHORT_NAME: _("Enter the short name: the form adds the domain by itself."),
        NoteCode.AT_SIGN: _("For the domain itself enter @ as the name."),
        NoteCode.FINAL_DOT: _("End a host in the value with a dot, or the domain is added to it."),
        NoteCode.FINAL_DOT_OPTIONAL: _("A host in the value may end with a dot or not."),
        NoteCode.QUOTES: _("Put the value of a TXT record in double quotes."),
        NoteCode.SPLIT_255: _(
            "Enter a TXT value of more than 255 characters as several texts in quotes."
        ),
        NoteCode.SPLITS_ITSELF: _("Enter a long TXT value whole; it is split by itself."),
        NoteCode.MAX_VALUE: _("A TXT value may have at most %(argument)s characters.") % facts,
        NoteCode.MX_PRIORITY_FIELD: _("The priority of an MX record has a field of its own."),
        NoteCode.UNDERSCORE: _("Names with an underscore are allowed."),
        NoteCode.RESOLVES_CONFLICTS: _("Adding a record may remove records of other services."),
    }
    return texts[note.code]


def step_sentence(code: str) -> str:
    texts = {
        StepCode.LOWER_TTL: _("Lower the TTL of the MX record, so that the switch takes minutes."),
        StepCode.PREPARE_MAILBOXES: _(
            "Set up the mailboxes here; mail still goes to the old place."
        ),
        StepCode.CHANGE_EARLY: _("Enter the records that already may stand there (below: “now”)."),
        StepCode.SWITCH_MX: _("Enter the new MX record."),
        StepCode.WATCH: _("Wait until all name servers show it; we look by ourselves."),
        StepCode.RAISE_TTL: _("Set the TTL back."),
        StepCode.END_OLD_SYSTEM: _("Fetch what is left in the old mailboxes, then end them."),
    }
    return texts[StepCode(code)]


def keep_sentence(reason: str) -> str:
    texts = {
        KeepReason.WEB: _("the website"),
        KeepReason.NAME_SERVERS: _("the name servers"),
        KeepReason.CAA: _("who may issue certificates"),
        KeepReason.TEXT: _("a text for another service"),
        KeepReason.WILDCARD: _("a record for all names"),
        KeepReason.OTHER: _("not of our kind"),
        KeepReason.OLD_HOST: _("the old mail server, until its mail has arrived"),
        KeepReason.OLD_CLIENTS: _("where mail programs find the old server, until it ends"),
        KeepReason.OLD_SELECTOR: _("a key of the old server, until its mail has arrived"),
    }
    return texts[KeepReason(reason)]


def finding_sentence(code: str) -> str:
    """What stands in the way of the move, or is good to know."""
    texts = {
        "unreadable": _("The zone could not be read, so there is no plan yet."),
        "unreachable": _("For this name no server answered; read again later."),
        "alias_at_apex": _(
            "The domain itself is an alias (CNAME). Mail cannot be set up until it is not."
        ),
        "alias_in_the_way": _("An alias (CNAME) stands where a record of ours must be."),
        "spf_several": _("Several SPF records stand there. Put them together into one first."),
        "spf_unreadable": _("The SPF record cannot be read, so ours cannot be added to it."),
        "spf_too_many_lookups": _("With ours, the SPF record would need more than ten look-ups."),
        "spf_not_mergeable": _("The SPF record cannot be put together with ours."),
        "spf_void": _("The SPF record that stands there is void; ours replaces it."),
        "dmarc_enforced": _("A strict DMARC policy stands there: switch only once mail is signed."),
        "mta_sts": _("An MTA-STS policy names the old server; strict senders remember it."),
        "mx_mixed": _("Some of the mail servers are ours already, others not."),
        "implicit_mx": _("There is no MX record: mail goes to the address of the website."),
        "no_mx": _("The domain takes no mail today."),
        "null_mx": _("The domain says that it takes no mail."),
        "mx_is_ours": _("The MX record leads here already."),
        "wildcard_mx": _("A record for all names leads mail for subdomains elsewhere."),
        "dnssec": _("The zone is signed (DNSSEC); whoever runs it must sign the changes too."),
        "sender": _("Another service sends in the name of this domain; its key stays."),
        "left_out": _("More stands there than is shown."),
    }
    return texts.get(code, _("The zone has a peculiarity (%(code)s).") % {"code": code})
