"""Who takes a domain's mail today, and selectors that senders are known to use.

As in `hosters`, each entry has the page that says so; what no page said is not here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from maildns.names import fits

# The day on which the pages below were read.
_SEEN = date(2026, 11, 24)


@dataclass(frozen=True)
class MailProvider:
    """`mx_hosts` are patterns of `names.fits`; `source` is the page that names them."""

    code: str
    name: str
    mx_hosts: tuple[str, ...]
    source: str
    seen: date = _SEEN


@dataclass(frozen=True)
class KnownSelector:
    """`sender` is a code of a MailProvider or another sender; empty: used by many."""

    name: str
    sender: str
    source: str
    seen: date = _SEEN


def foreign_provider(mx_hosts: Sequence[str]) -> MailProvider | None:
    """Who runs all of these hosts of MX records, None if that is not known of all."""
    for provider in PROVIDERS:
        patterns = provider.mx_hosts
        if mx_hosts and all(any(fits(host, each) for each in patterns) for host in mx_hosts):
            return provider
    return None


_ZOHO_TOPS = ("com", "eu", "in", "com.au", "jp")

PROVIDERS = (
    MailProvider(
        "google",
        "Google Workspace",
        ("smtp.google.com", "aspmx.l.google.com", "alt#.aspmx.l.google.com"),
        "https://intodns.ai/citations/google-workspace-mx-records",
    ),
    MailProvider(
        "microsoft",
        "Microsoft 365",
        (".mail.protection.outlook.com", ".mx.microsoft"),
        "https://c7solutions.com/2024/02/what-is-mx-microsoft",
    ),
    MailProvider(
        "infomaniak",
        "Infomaniak",
        ("mta-gw.infomaniak.ch",),
        "https://www.infomaniak.com/en/support/faq/search?page=3&q=dns",
    ),
    MailProvider(
        "hostpoint",
        "Hostpoint",
        ("mx#.mail.hostpoint.ch",),
        "https://support.hostpoint.ch/en/technical/dns/general-questions-about-dns/what-is-a-dns-record",
    ),
    MailProvider(
        "netcup",
        "netcup",
        ("mx#.netcup.net",),
        "https://www.netcup.com/en/helpcenter/documentation/web-hosting/webhosting-dns",
    ),
    MailProvider(
        "hosting_de",
        "hosting.de",
        ("mx#.hosting.de", "mxbackup.hosting.de"),
        "https://www.hosting.de/helpdesk/produkte/e-mail/mx-eintraege",
    ),
    MailProvider(
        "variomedia",
        "Variomedia",
        ("mail.variomedia.de",),
        "https://www.variomedia.de/faq/Was-sind-MX-Eintraege-und-wie-funktionieren-sie/article/169",
    ),
    MailProvider(
        "ovh",
        "OVHcloud",
        ("mx#.mail.ovh.net",),
        "https://pastebin.com/2TscBHP2",
    ),
    MailProvider(
        "zoho",
        "Zoho Mail",
        tuple(f"{host}.zoho.{top}" for top in _ZOHO_TOPS for host in ("mx", "mx2", "mx3")),
        "https://mxrecordchecker.com/resources/zoho-mx-records",
    ),
    MailProvider(
        "fastmail",
        "Fastmail",
        ("in#-smtp.messagingengine.com",),
        "https://gist.github.com/karolzlot/2e5addbd6aafb91a28e2e3b871875ace",
    ),
    MailProvider(
        "startmail",
        "StartMail",
        ("mx#.startmail.com", "mx#.smtp.startmail.com"),
        "https://support.startmail.com/hc/de/articles/360006558278-DNS-Eintr%C3%A4ge",
    ),
)

_EXAMPLES = "https://mailflowauthority.com/email-authentication/dkim-selector-example"
_COMMON = "https://help.sendmarc.com/support/solutions/articles/44001891845-email-provider-commonly-used-dkim-selectors"
_FASTMAIL = "https://www.fastmail.help/hc/en-us/articles/360060591153"
_PROTON = "https://domainsecurityscanner.com/guides/proton-mail"
_MAILBOX_ORG = "https://kb.mailbox.org/de/privat/e-mail-mit-eigener-domain/spam-reputation-der-eigenen-domain-verbessern-mit-spf-dkim-und-dmarc"
_STARTMAIL = "https://support.startmail.com/hc/de/articles/360006558278-DNS-Eintr%C3%A4ge"

# A DNS server does not list the names of a zone: only these are looked for.
SELECTORS = (
    KnownSelector("google", "google", _COMMON),
    KnownSelector("selector1", "microsoft", _COMMON),
    KnownSelector("selector2", "microsoft", _COMMON),
    KnownSelector("k1", "mailchimp", _COMMON),
    KnownSelector("k2", "mailchimp", _EXAMPLES),
    KnownSelector("s1", "sendgrid", _EXAMPLES),
    KnownSelector("s2", "sendgrid", _EXAMPLES),
    KnownSelector("mx", "mailgun", _EXAMPLES),
    KnownSelector("everlytickey1", "everlytic", _COMMON),
    KnownSelector("everlytickey2", "everlytic", _COMMON),
    KnownSelector("dkim", "hetzner", _COMMON),
    KnownSelector("default", "", _EXAMPLES),
    KnownSelector("mail", "", _EXAMPLES),
    KnownSelector("zmail", "zoho", "https://crmcurator.com/articles/zoho/zoho-mail-admin-guide/"),
    KnownSelector("fm1", "fastmail", _FASTMAIL),
    KnownSelector("fm2", "fastmail", _FASTMAIL),
    KnownSelector("fm3", "fastmail", _FASTMAIL),
    KnownSelector("protonmail", "proton", _PROTON),
    KnownSelector("protonmail2", "proton", _PROTON),
    KnownSelector("protonmail3", "proton", _PROTON),
    KnownSelector("mbo0001", "mailbox_org", _MAILBOX_ORG),
    KnownSelector("mbo0002", "mailbox_org", _MAILBOX_ORG),
    KnownSelector("mbo0003", "mailbox_org", _MAILBOX_ORG),
    KnownSelector("mbo0004", "mailbox_org", _MAILBOX_ORG),
    KnownSelector("startmail1", "startmail", _STARTMAIL),
    KnownSelector("startmail2", "startmail", _STARTMAIL),
)
