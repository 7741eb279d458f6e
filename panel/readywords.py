"""Sentences about a mail host's readiness: what each check is for, what was found, what to do."""

from __future__ import annotations

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from maildns.readiness.report import Check, Item, ReadinessReport, State
from maildns.records import Record


def title(check: str) -> str:
    titles = {
        Check.STATIC_ADDRESS: _("Static address"),
        Check.HOST_NAME: _("Host name"),
        Check.PTR: "PTR",
        Check.SPF: "SPF",
        Check.DKIM: "DKIM",
        Check.BLOCK_LISTS: _("Block lists"),
        Check.PORT_25: _("Port 25 outward"),
        Check.CERTIFICATE: _("Certificate"),
        Check.TLSA: "TLSA (DANE)",
        Check.CLOCK: _("Clock"),
    }
    return titles[Check(check)]


def purpose(check: str) -> str:
    texts = {
        Check.STATIC_ADDRESS: _("Receivers take mail from servers, not from access lines at home."),
        Check.HOST_NAME: _("The name that the host says of itself must lead to it."),
        Check.PTR: _("The address must lead back to the name: many refuse mail without it."),
        Check.SPF: _("The addresses must be allowed to send, for the host and for all domains."),
        Check.DKIM: _("The key that signs must stand in the DNS."),
        Check.BLOCK_LISTS: _("Receivers ask lists of addresses that sent spam."),
        Check.PORT_25: _("Mail leaves through it; many providers block it at first."),
        Check.CERTIFICATE: _("Other servers and mail programs check name, issuer and end date."),
        Check.TLSA: _("Pins the certificate in the DNS, where the zone is signed."),
        Check.CLOCK: _("Signatures and log-ins fail when it is far off."),
    }
    return texts[Check(check)]


def state_word(state: str) -> str:
    words = {
        State.OK: _("right"),
        State.WARNING: _("to be watched"),
        State.BAD: _("wrong"),
        State.UNKNOWN: _("not known"),
    }
    return words[State(state)]


def verdict(report: ReadinessReport) -> str:
    """The host in one sentence."""
    bad = {each.check for each in report.items if each.state is State.BAD}
    if bad:
        return ngettext(
            "%(count)d thing is wrong: mail from this host may be refused.",
            "%(count)d things are wrong: mail from this host may be refused.",
            len(bad),
        ) % {"count": len(bad)}
    if any(each.state is State.WARNING for each in report.items):
        return _("The host is ready; something is to be watched.")
    return _("The host is ready.")


def ptr_effect(state: str) -> str:
    """What the state of the host's PTR records means to a customer."""
    texts = {
        State.OK: _("Each sending address has the name of the mail host, and the name leads back."),
        State.WARNING: _("Mail is taken; something about it is to be watched by your provider."),
        State.BAD: _("Some receivers refuse mail because of it. Your provider has to mend it."),
        State.UNKNOWN: _("Nobody knows at the moment; it is looked at again by itself."),
    }
    return texts[State(state)]


def sentence(item: Item) -> str:
    """What was found, and what to do about it."""
    texts = _TEXTS.get(item.check, dict)()
    return texts.get(item.code) or _common(item.code)


def _common(code: str) -> str:
    texts = {
        "dns_error": _("The name servers do not answer; nothing is known for now."),
        "deadline": _("The check took too long; nothing is known for now."),
    }
    return texts.get(code, _("The check reports: %(code)s.") % {"code": code})


def _static() -> dict[str, str]:
    return {
        "static": _("Nothing speaks against a static address of a server."),
        "private_trial": _("A private address; in a trial that is as it should be."),
        "private": _("A private address. Mail must leave from a public one; enter it at the host."),
        "generic_name": _(
            "Its name looks like that of an access line. Set a PTR record with the host's name."
        ),
        "policy_listed": _(
            "A list says that no mail server should be at this address. "
            "Ask your provider for a static address, or the list's owner to take it out."
        ),
        "lists_silent": _("The lists do not answer from here; nothing is known for now."),
    }


def _host_name() -> dict[str, str]:
    return {
        "resolves": _("The name leads to the address."),
        "name_address": _(
            "The host's name is an address. Give it a name such as mail.example.com."
        ),
        "name_local": _("This name is known on this machine only. Give the host a public one."),
        "name_not_full": _("The name is not full: a domain is missing behind it."),
        "name_bad_name": _("This is not a valid host name."),
        "helo_address": _("The host says an address in HELO. It must say its name."),
        "helo_local": _("The name in HELO is known on this machine only."),
        "helo_not_full": _("The name in HELO is not full: a domain is missing behind it."),
        "helo_bad_name": _("The name in HELO is not a valid host name."),
        "helo_differs": _("The host says another name in HELO than its own."),
        "alias": _("The name is an alias (CNAME). Give it address records of its own."),
        "no_address": _("The name has no record for this kind of address. Add one (A or AAAA)."),
        "other_address": _("The name leads to another address. Add this one to it."),
    }


def _ptr() -> dict[str, str]:
    return {
        "confirmed": _("The address has the host's name, and the name leads back."),
        "no_ptr": _("The address has no name. Have its provider set one, with the text below."),
        "several": _("The address has several names. Leave only that of the host."),
        "not_confirmed": _("The address has a name that does not lead back to it."),
        "helo_differs": _("The address has another name than the host. Have it changed."),
        "helo_elsewhere": _("The name in HELO leads to another address."),
        "tenant_name": _("The address has the name of a customer. Have it changed to the host's."),
    }


def _spf() -> dict[str, str]:
    return {
        "helo_pass": _("The host may send in its own name."),
        "helo_none": _("The host's own name has no SPF record. Add the one shown below."),
        "helo_not_listed": _("The host's own SPF record does not name this address."),
        "helo_fail": _("The host's own SPF record forbids this address. Bounces are refused."),
        "helo_broken": _("The host's own SPF record has an error."),
        "helo_dns_error": _("The name servers do not answer; nothing is known for now."),
        "include_pass": _("The record that all domains include names this address."),
        "include_none": _(
            "The record that all domains include is not there. Their SPF is void until it is."
        ),
        "include_not_listed": _(
            "The record that all domains include does not name this address. Add it."
        ),
        "include_broken": _("The record that all domains include has an error."),
        "include_dns_error": _("The name servers do not answer; nothing is known for now."),
        "include_unset": _("No name to include is set (POSTKONTOR_SPF_INCLUDE)."),
    }


def _dkim() -> dict[str, str]:
    return {
        "same": _("A key that signs stands in the DNS as it should."),
        "not_signing": _("No key signs on this host yet."),
        "missing": _("A key signs that is not in the DNS. See the domain's DNS page."),
        "several": _("There is more than one record for a key that signs."),
        "revoked": _("The record of a key that signs says that it is void."),
        "differs": _("The record of a key that signs holds another key."),
    }


def _block_lists() -> dict[str, str]:
    return {
        "not_listed": _("Not listed."),
        "no_lists": _("No list is asked about this address."),
        "listed": _("Listed as a source of spam. Find the cause first, then ask to be taken out."),
        "listed_policy": _("Listed as an address without a mail server."),
        "refused": _("The list does not answer our name server; ask it with one of your own."),
        "no_test_entry": _("The list does not work from here: its test entry is missing."),
        "lists_everything": _("The list lists everything; it is out of order."),
        "strange_answer": _("The list answers what no list would; it is out of order."),
    }


def _port_25() -> dict[str, str]:
    return {
        "open": _("Other mail servers are reached."),
        "no_targets": _("No server to try is known."),
        "not_here": _("This can only be tried on the mail host itself."),
        "no_banner": _("Somebody else answers on port 25: a filter of the provider, most likely."),
        "no_route": _("There is no way out from this address."),
        "blocked": _("Port 25 is blocked. Ask the provider of the server to open it."),
    }


def _certificate() -> dict[str, str]:
    return {
        "valid": _("Name, issuer and dates are right."),
        "expired": _("The certificate has expired. Renew it."),
        "not_yet_valid": _("The certificate is not valid yet. Is the clock right?"),
        "ends_soon": _("The certificate ends soon and was not renewed."),
        "wrong_name": _("The certificate is not for the host's name."),
        "self_signed": _("The certificate is signed by nobody else; strict senders refuse it."),
        "untrusted": _("Nobody known has signed the certificate, or the chain is not complete."),
        "chain_expired": _("A certificate of the chain has expired."),
        "unreadable": _("The certificate cannot be read."),
        "no_starttls": _("The host offers no encryption on port 25."),
        "starttls_refused": _("Encryption is offered, but refused when asked for."),
        "handshake_failed": _("Encryption is offered, but does not come about."),
        "no_host_name": _("Without a valid host name there is nothing to compare."),
        "private": _("A private address is not dialled."),
        "smtp_refused": _("The host does not talk to us on port 25."),
        "unreachable": _("Nobody answers on port 25 of this address."),
        "no_authorities": _("The file of trusted authorities cannot be read (POSTKONTOR_CA_FILE)."),
    }


def _tlsa() -> dict[str, str]:
    return {
        "none": _(
            "No TLSA record: nothing is pinned, and nothing can be wrong. Where the zone is signed "
            "(DNSSEC), the wanted value of type TLSA pins the certificate's key."
        ),
        "match": _("The record fits the certificate."),
        "unsigned": _("The zone is not signed, so the record has no effect."),
        "no_certificate": _("The certificate could not be read to compare."),
        "trust_anchor": _("The record means another certificate of the chain."),
        "syntax": _("A TLSA record cannot be read."),
        "length": _("A TLSA record is too short or too long."),
        "no_match": _("The record does not fit the certificate: senders with DANE refuse us."),
        "none_usable": _("No record can be used: senders must encrypt, but verify nothing."),
        "unusable": _("A record of a kind that mail servers do not use."),
        "whole_certificate": _("The record pins the whole certificate and breaks at each renewal."),
    }


def _clock() -> dict[str, str]:
    return {
        "right": _("The clock is right."),
        "off": _("The clock is some seconds off. Let it be set by NTP."),
        "wrong": _("The clock is minutes off: signatures and log-ins fail. Let it be set by NTP."),
        "no_servers": _("No time server is set."),
        "unreachable": _("No time server answers."),
        "disagree": _("The time servers do not agree."),
    }


_TEXTS = {
    Check.STATIC_ADDRESS: _static,
    Check.HOST_NAME: _host_name,
    Check.PTR: _ptr,
    Check.SPF: _spf,
    Check.DKIM: _dkim,
    Check.BLOCK_LISTS: _block_lists,
    Check.PORT_25: _port_25,
    Check.CERTIFICATE: _certificate,
    Check.TLSA: _tlsa,
    Check.CLOCK: _clock,
}


def evidence_label(label: str) -> str:
    labels = {
        "address": _("address"), "ptr": "PTR", "name": _("name"), "reason": _("reason"),
        "helo": "HELO", "alias": _("alias"), "reverse_name": _("reverse name"),
        "wanted": _("wanted"), "seen": _("seen"), "where": _("at"), "list": _("list"),
        "text": _("its text"), "removal": _("to be taken out"), "code": _("code"),
        "target": _("tried"), "server": _("server"), "ahead_seconds": _("seconds ahead"),
        "domain": _("domain"), "result": _("result"), "term": _("term"), "problem": _("problem"),
        "detail": _("detail"), "issuer": _("issuer"), "not_before": _("valid from"),
        "not_after": _("valid until"), "days_left": _("days left"), "left_out": _("left out"),
    }  # fmt: skip
    return labels.get(label, label)


def ptr_letter(record: Record, address: str) -> str:
    """What to send to the provider of an address."""
    return _(
        "Please set the PTR record of our address %(address)s to %(host)s, as its only name "
        "(%(name)s PTR %(host)s.). The name leads back to the address already."
    ) % {"address": address, "host": record.value, "name": record.name}
