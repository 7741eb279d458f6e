"""Sentences about wanted records: what each is for, and what it means that it is not right."""

from __future__ import annotations

from datetime import datetime

from django.utils import formats, timezone
from django.utils.translation import gettext as _

from maildns.check import RecordState
from maildns.models import DkimKey


def base(kind: str) -> str:
    """The kind without the part that tells several of it apart: dkim:s202611a is a dkim."""
    return kind.partition(":")[0]


def record_name(kind: str) -> str:
    """What people call the record."""
    names = {
        "mx": "MX",
        "null_mx": "MX",
        "spf": "SPF",
        "no_spf": "SPF",
        "dkim": "DKIM",
        "dmarc": "DMARC",
        "no_dmarc": "DMARC",
        "mta_sts": "MTA-STS",
        "mta_sts_host": _("MTA-STS (address of the policy)"),
        "tls_rpt": "TLS-RPT",
        "autoconfig": "autoconfig",
        "autodiscover": "autodiscover",
        "proof": _("Proof of ownership"),
        "ptr": "PTR",
    }
    if base(kind) == "srv":
        return "SRV " + kind.partition(":")[2]
    return names.get(base(kind), kind)


def purpose(kind: str) -> str:
    """One sentence for a layman."""
    texts = {
        "mx": _("Leads mail for this domain to our mail host."),
        "null_mx": _("Says that this domain takes no mail."),
        "no_spf": _("Says that no server sends mail of this domain."),
        "no_dmarc": _("Has receivers refuse all mail that pretends to be from this domain."),
        "spf": _("Names the servers that may send mail of this domain."),
        "dkim": _("The public key with which receivers verify the signature of your mail."),
        "dmarc": _("Tells receivers what to do with mail that only pretends to be yours."),
        "mta_sts": _("Has other servers send to us encrypted only."),
        "mta_sts_host": _("Where other servers fetch the MTA-STS policy."),
        "tls_rpt": _("Where other servers report when encryption to us fails."),
        "srv": _("Lets mail programs find the server by themselves."),
        "autoconfig": _("Lets Thunderbird and others find the settings by themselves."),
        "autodiscover": _("Lets Outlook and others find the settings by themselves."),
        "proof": _("Shows that the domain is yours."),
    }
    return texts.get(base(kind), "")


def effect(kind: str, state: str) -> str:
    """What it means for mail that a record is in this state."""
    if state == RecordState.OK:
        return ""
    if state == RecordState.UNREACHABLE:
        return _("Not all name servers answer, so nobody knows. Nothing is switched off for that.")
    if state == RecordState.SEVERAL:
        several = {
            "null_mx": _("This record must be the only MX record."),
            "no_spf": _("With several SPF records receivers ignore them all. Leave only one."),
            "no_dmarc": _("With several DMARC records receivers ignore them all. Leave only one."),
            "mx": _("A part of your mail goes to other servers than ours."),
            "spf": _("With several SPF records receivers ignore them all. Leave only one."),
            "dmarc": _("With several DMARC records receivers ignore them all. Leave only one."),
            "dkim": _("With several records under this name the signature may not verify."),
        }
        return several.get(base(kind), _("There is more than should be. Delete the old one."))
    texts = {
        "mx": _("Mail for this domain does not reach us."),
        "null_mx": _("Senders try for days before they learn that nothing arrives here."),
        "no_spf": _("Others can send in the name of this domain."),
        "no_dmarc": _("Others can send in the name of this domain."),
        "spf": _("Receivers do not know that our server may send for you: spam folder likely."),
        "dkim": _("Mail goes out without this signature until all name servers show the record."),
        "dmarc": _("Large receivers trust mail less without it, and others can use your name."),
        "mta_sts": _("Other servers do not learn that they should encrypt. Mail still arrives."),
        "mta_sts_host": _("Other servers cannot fetch the policy. Mail still arrives."),
        "tls_rpt": _("Nobody tells us when encryption fails. Mail still arrives."),
        "srv": _("People enter the server by hand. Mail is not affected."),
        "autoconfig": _("People enter the server by hand. Mail is not affected."),
        "autodiscover": _("People enter the server by hand. Mail is not affected."),
        "proof": _("We can no longer see that the domain is yours. Nothing is switched off yet."),
    }
    return texts.get(base(kind), "")


def lost(kind: str) -> str:
    """The line of a letter: what is lost, and what that does."""
    return f"{record_name(kind)}: {effect(kind, RecordState.MISSING)}"


def state_word(state: str) -> str:
    words = {
        RecordState.OK: _("right"),
        RecordState.MISSING: _("missing"),
        RecordState.DIFFERS: _("wrong"),
        RecordState.SEVERAL: _("more than one"),
        RecordState.UNREACHABLE: _("not reachable"),
    }
    return words.get(RecordState(state), state) if state else _("not checked yet")


def key_progress(key: DkimKey, signs_from: datetime | None, now: datetime) -> str:
    """How far a DKIM key has come."""
    algorithm = key.get_algorithm_display()
    at = (
        formats.date_format(timezone.localtime(signs_from), "SHORT_DATETIME_FORMAT")
        if signs_from
        else ""
    )
    facts = {"algorithm": algorithm, "at": at}
    if key.state == "signing":
        return _("%(algorithm)s, signs outgoing mail.") % facts
    if key.state == "retiring":
        return (
            _("%(algorithm)s, no longer signs. Leave the record: mail under way needs it.") % facts
        )
    if key.state == "retired":
        return _("%(algorithm)s, void. The empty record tells receivers so.") % facts
    if signs_from and signs_from > now:
        return (
            _("%(algorithm)s, seen everywhere. Signs from %(at)s on: old answers fade until then.")
            % facts
        )
    return _("%(algorithm)s, new. Signs as soon as all name servers show it.") % facts


def groups() -> dict[str, tuple[str, str]]:
    """Title and lead of each group of records."""
    return {
        "receive": (_("Receiving"), ""),
        "send": (_("Sending"), _("So that receivers know that your mail is really yours.")),
        "protect": (
            _("Protection on the way"),
            _("Not needed for mail to work, but good to have."),
        ),
        "comfort": (_("Comfort"), _("Mail programs find their settings by themselves.")),
        "owner": (_("Ownership"), ""),
    }


def receiving(code: str) -> str:
    texts = {
        "works": _("Receiving works."),
        "partly": _("Receiving: a part goes to other servers."),
        "broken": _("Receiving does not work: mail for this domain does not reach us."),
        "parked": _("This domain takes no mail."),
        "parked_unsaid": _("This domain takes no mail, but its record does not say so yet."),
        "elsewhere": _("Mail still arrives at the former provider."),
        "unknown": _("Receiving: nobody knows at the moment."),
        "unchecked": _("Receiving is being checked."),
    }
    return texts[code]


def sending(code: str) -> str:
    texts = {
        "good": _("Sending works, signed and approved."),
        "unsigned": _("Sending works, but is not signed yet."),
        "parked": _("This domain sends no mail: its records say so to all."),
        "parked_unsaid": _("This domain sends no mail, but its records do not say so yet."),
        "spam_risk": _("Sending: risk of the spam folder."),
        "unknown": _("Sending: nobody knows at the moment."),
        "unchecked": _("Sending is being checked."),
    }
    return texts[code]


def provider_fault(code: str, fact: str) -> str:
    """Why writing failed, and the way out."""
    texts = {
        "bad_key": _("The name server does not know the key. Check its name."),
        "bad_signature": _("The name server does not accept the secret. Enter it again."),
        "bad_time": _("The clocks of this server and of the name server differ by minutes."),
        "bad_credentials": _("The provider does not accept the credentials. Enter them again."),
        "login_or_zone": _("The provider refuses the log-in, or does not have this domain there."),
        "bad_options": _("The provider wants other or further details."),
        "no_such_zone": _("This domain is not at this provider or name server."),
        "not_allowed": _("The name server does not allow this key to change the domain."),
        "outside_zone": _("The name server holds only a part of these names."),
        "no_updates": _("The name server takes no updates."),
        "changed_meanwhile": _("The records have changed since the plan was made. Plan again."),
        "too_big": _("There are too many records at one name."),
        "rejected": _("The provider refuses one of the records."),
        "not_as_written": _("The provider said yes, but holds something else."),
        "timeout": _("The provider did not answer in time. Nothing is lost: plan again."),
        "refused": _("Nobody answers at this address. Check address and port."),
        "rate_limited": _("The provider wants fewer calls. Try again in some minutes."),
        "worker_lost": _("The work was interrupted. Plan again; what is written stays."),
    }
    text = texts.get(code, _("The provider did not do it (%(code)s). Try again.") % {"code": code})
    return f"{text} ({fact})" if fact else text


def change_state(code: str) -> str:
    texts = {
        "written": _("written and seen"),
        "unseen": _("written, not yet seen everywhere"),
        "refused": _("refused"),
        "failed": _("failed"),
        "half": _("half done"),
        "not_tried": _("not tried"),
        "not_ticked": _("left as it is"),
        "unknown": _("unknown"),
    }
    return texts.get(code, code)
