"""Sentences for what linters find in foreign records: the fault, and what it does to mail."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from maildns.check import Hint
from maildns.findings import Finding


def finding_sentence(kind: str, finding: Finding) -> str:
    """Say what is wrong with a record of this kind, in the language of the reader."""
    family = _FAMILIES.get(kind.partition(":")[0], dict)
    code = finding.code.removeprefix("spf_")
    return family().get(code) or _shared().get(code) or _unknown(code)


def _unknown(code: str) -> str:
    return _("The record has a fault (%(code)s).") % {"code": code}


def _shared() -> dict[str, str]:
    """What can be wrong with records of several kinds."""
    return {
        "several": _("Several records of this kind stand here. Receivers then use none of them."),
        "syntax": _("This part cannot be read; receivers ignore it or the whole record."),
        "version": _("The record does not begin with its version, so nobody takes it for one."),
        "version_not_first": _(
            "The version must come first; as it is, receivers ignore the record."
        ),
        "version_case": _("The version is written in the wrong case; receivers ignore the record."),
        "escaped": _(
            "A backslash was entered with the record. Enter it again without backslashes."
        ),
        "foreign_text": _(
            "Another text stands at this name. It does no harm, but does not belong."
        ),
        "fields": _("The record is not built as it must be; receivers ignore it."),
        "bad_host": _("This is not the name of a host; mail or programs cannot get there."),
        "address": _("An IP address stands here where a name must be. It does not work."),
        "host": _("This is not the name of a host."),
        "dns_error": _("The name servers for this name do not answer."),
        "alias": _("This name is an alias (CNAME), which is not allowed here."),
        "alias_and_data": _("Beside an alias (CNAME) nothing else may stand: one of them is lost."),
        "no_address": _("This name leads to no address."),
        "only_ipv6": _("This name has an IPv6 address only; many servers cannot reach it."),
        "bad_uri": _("This is no valid address for reports; none will arrive there."),
        "uri": _("This is no valid address for reports; none will arrive there."),
        "testing": _("The record says that it is only a test: receivers do not act on it."),
        "too_long": _("The record is too long for some receivers."),
    }


def _mx() -> dict[str, str]:
    return {
        "foreign_host": _("Mail also goes to this server, which is not ours."),
        "apex_host": _("The domain itself is named as its mail server: that is its website."),
        "implicit_mx": _("Without an MX record, mail goes to the address of the website."),
        "no_mx": _("The domain says nothing about where its mail goes."),
        "null_mx": _("The domain says that it takes no mail at all."),
        "null_mx_mixed": _("The domain says that it takes no mail, and names a server beside it."),
        "null_mx_preference": _("A record for “no mail” must have the preference 0."),
        "long_ttl": _("The record is remembered for more than a day: a change takes as long."),
        "preference": _("The preference must be a number from 0 to 65535."),
    }


def _spf() -> dict[str, str]:
    return {
        "several_records": _(
            "Several SPF records stand here. Receivers then use none; put them together into one."
        ),
        "too_many_lookups": _(
            "The record needs more than ten look-ups. Receivers then treat it as broken."
        ),
        "too_many_void_lookups": _(
            "More than two names in the record do not exist. Receivers then treat it as broken."
        ),
        "too_many_mx": _("A name in the record has more than ten mail servers: it is broken."),
        "loop": _("The record includes itself, so that it never ends: it is broken."),
        "include_without_record": _(
            "The record includes a domain without an SPF record. That makes all of it void."
        ),
        "redirect_without_record": _(
            "The record leads on to a domain without an SPF record. That makes it void."
        ),
        "pass_all": _("+all lets anybody in the world send in your name."),
        "neutral_all": _("?all says nothing about other servers: they may use your name."),
        "no_all": _("The record does not end in ~all or -all, so it says nothing about others."),
        "no_record": _("There is no SPF record."),
        "wide_network": _("The record allows a very large network, with strangers in it."),
        "near_miss": _("This looks like an SPF record, but is none; receivers do not see it."),
        "after_all": _("What stands behind “all” has no effect."),
        "redirect_and_all": _("“redirect” has no effect beside “all”."),
        "mechanism_as_modifier": _("A colon is needed here, not an equals sign: it has no effect."),
        "unknown_modifier": _("This part is not known; receivers skip it."),
        "sender_id": _("This is a record for Sender ID, which nobody reads any more."),
        "ptr": _("“ptr” is slow, and some receivers skip it. Name the addresses instead."),
        "p_macro": _("The macro “p” is slow, and some receivers skip it."),
        "void_lookup": _("A name in the record does not exist."),
        "unreachable": _("A name in the record could not be looked up."),
        "deadline": _("The record takes very long to look up."),
        "not_followed": _("This part depends on the sender and was not looked up."),
        "private_network": _("A private network stands in the record; nobody sends from there."),
        "host_bits": _("The network is written with an address inside it; it works all the same."),
        "twice": _("The same part stands in the record twice."),
        "address_as_name": _(
            "For an address it must say ip4: or ip6:. As it is, the record is void."
        ),
        "bad_address": _("This is not an address. The whole record is void."),
        "bad_character": _("A character that may not stand here makes the whole record void."),
        "bad_domain": _("This is not a domain. The whole record is void."),
        "bad_macro": _("This macro is none. The whole record is void."),
        "bad_prefix_length": _("The number behind the slash is none. The whole record is void."),
        "bad_term": _("This part is none that SPF knows. The whole record is void."),
        "modifier_twice": _("This part may stand there once only. The whole record is void."),
        "no_argument": _("Something is missing behind this part. The whole record is void."),
        "no_domain": _("A domain is missing behind this part. The whole record is void."),
        "qualified_modifier": _("No sign may stand in front of this part. The record is void."),
        "unknown_mechanism": _("SPF does not know this word. The whole record is void."),
        "unwanted_argument": _("Nothing may stand behind this part. The whole record is void."),
    }


def _dkim() -> dict[str, str]:
    return {
        "revoked": _("The record says that this key is void."),
        "short_key": _("The key is short; some receivers do not take it any more."),
        "key_too_short": _("The key is so short that receivers ignore it."),
        "key": _("The key cannot be read: part of it was lost when it was entered."),
        "key_is_spki": _("The key is in a form that is for RSA keys only."),
        "key_type": _("A key of this kind is not known to receivers."),
        "no_key": _("There is no key in the record."),
        "hash": _("The record allows no way of signing that is still in use."),
        "service": _("The record says that the key is not for mail."),
        "tag_list": _("The record is not built as it must be; the signature does not verify."),
    }


def _dmarc() -> dict[str, str]:
    return {
        "bad_policy": _("This policy is none. Receivers then act as if it said none."),
        "bad_value": _("This value is none; receivers take the usual one."),
        "duplicate_tag": _("This part stands there twice; receivers ignore the record."),
        "fo_without_ruf": _("“fo” has no effect without an address for single reports."),
        "no_policy": _("No policy is named; receivers then do nothing."),
        "policy_not_second": _("Older receivers want the policy right behind the version."),
        "removed_tag": _("This part is no longer in use; it does no harm."),
        "size_limit": _("A limit for the size of reports is no longer in use."),
        "unknown_tag": _("This part is not known; receivers skip it."),
    }


def _mta_sts() -> dict[str, str]:
    return {
        "id": _("The number of the policy may have letters and digits only, at most 32."),
        "no_id": _("The number of the policy is missing; senders ignore the record."),
        "line": _("A line of the policy cannot be read; senders ignore it all."),
        "max_age": _("The policy does not say for how long it holds."),
        "mode": _("The policy does not say testing, enforce or none."),
        "mx": _("The policy names no mail server."),
        "uncovered_mx": _("The policy leaves out a mail server of the domain."),
    }


def _tls_rpt() -> dict[str, str]:
    return {
        "no_rua": _("No address for reports is named."),
        "scheme": _("Reports can be sent by mail or https only."),
    }


def _srv() -> dict[str, str]:
    return {
        "off_mixed": _("The record says that the service is off, and names a server beside it."),
        "port": _("The port is not the usual one; some programs do not find it."),
    }


_FAMILIES = {
    "mx": _mx,
    "spf": _spf,
    "dkim": _dkim,
    "dmarc": _dmarc,
    "mta_sts": _mta_sts,
    "tls_rpt": _tls_rpt,
    "srv": _srv,
}


def hint_sentence(hint: str) -> str:
    """What most likely happened."""
    texts = {
        Hint.WILDCARD: _(
            "What is seen comes from a record for all names (*). Enter this one beside it."
        ),
        Hint.DOUBLED_NAME: _(
            "The record stands at a name with the domain twice. Enter the short name."
        ),
        Hint.ALIAS_BESIDE_DATA: _(
            "An alias (CNAME) stands here, and beside it nothing else counts. Delete it first."
        ),
        Hint.OLD_AT_SOME: _(
            "Some name servers already show the new record, others not yet. Mostly it takes "
            "an hour."
        ),
        Hint.SPLIT_DNS: _("The name servers do not agree. Is one of them an old one?"),
    }
    return texts[Hint(hint)]


def unreachable_sentence(reason: str) -> str:
    """Why a name server, or all of them, could not be asked."""
    texts = {
        "timeout": _("The name server does not answer."),
        "servfail": _("The name server reports a fault of its own."),
        "refused": _("The name server does not talk to us."),
        "lame": _("The name server knows nothing of this domain."),
        "malformed": _("The name server's answer cannot be read."),
        "too_big": _("The name server's answer is too large."),
        "private_address": _("The name server lies in a private network and is not asked."),
        "alias_loop": _("The aliases at this name lead in circles."),
        "no_delegation": _("The domain does not exist in the DNS: is it registered?"),
        "too_many_servers": _("The domain has more name servers than we ask."),
    }
    return texts.get(reason, _("The name server cannot be asked (%(code)s).") % {"code": reason})


def spf_sentence(outcome: dict[str, Any]) -> str:
    """What a receiver makes of mail from one of our addresses."""
    result, used = outcome["result"], int(outcome.get("lookups_used", 0))
    texts = {
        "pass": _("This server may send for you"),
        "fail": _("This server may not send for you"),
        "softfail": _("This server rather may not send for you"),
        "neutral": _("The record says nothing about this server"),
        "none": _("There is no SPF record"),
        "permerror": _("The record is broken, so nobody may send for you"),
        "temperror": _("It could not be looked up just now"),
    }
    count = ngettext("%(used)d of 10 look-ups used", "%(used)d of 10 look-ups used", used) % {
        "used": used
    }
    return f"{texts.get(result, result)} ({count})."
