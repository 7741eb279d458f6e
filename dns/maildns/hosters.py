"""The hosters of zones, recognised by their name servers, and what their forms want.

Only what a page says is here, and each entry names its page: no page, no note. A hoster whose
name servers no page named is not recognised, but can still be chosen from `HOSTERS`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from maildns.names import fits

# The day on which the pages below were read.
_SEEN = date(2026, 11, 24)


class NameForm(StrEnum):
    """What the hoster's form wants in the field for the name."""

    SHORT = "short"  # without the domain: _dmarc
    FULL = "full"  # with it: _dmarc.example.com
    UNKNOWN = "unknown"


class NoteCode(StrEnum):
    """What to know before entering a record; each names a sentence of the panel."""

    SHORT_NAME = "short_name"  # the form adds the domain by itself
    AT_SIGN = "at_sign"  # @ is the name of the domain itself
    FINAL_DOT = "final_dot"  # a host in the value needs its final dot, else the domain is added
    FINAL_DOT_OPTIONAL = "final_dot_optional"  # a host is taken as full, with a dot or without
    QUOTES = "quotes"  # a TXT value stands in double quotes
    SPLIT_255 = "split_255"  # a TXT value over 255 characters is entered as several strings
    SPLITS_ITSELF = "splits_itself"  # a long TXT value is entered whole
    MAX_VALUE = "max_value"  # a TXT value has at most so many characters as `argument` says
    MX_PRIORITY_FIELD = "mx_priority_field"  # the priority of an MX record has a field of its own
    UNDERSCORE = "underscore"  # allowed, for the types in `argument`; empty: for all
    RESOLVES_CONFLICTS = "resolves_conflicts"  # adding one may remove records of other services


@dataclass(frozen=True)
class Note:
    """`source` is the page that says so."""

    code: NoteCode
    source: str
    argument: str = ""


@dataclass(frozen=True)
class Hoster:
    """`name_servers` are patterns of `names.fits`; `source` is the page that names them.

    `help_url` is the hoster's own page about entering records, empty if none was found.
    `seen` is the day on which source and notes were read.
    """

    code: str
    name: str
    name_servers: tuple[str, ...]
    source: str
    notes: tuple[Note, ...] = ()
    name_form: NameForm = NameForm.UNKNOWN
    help_url: str = ""
    seen: date = _SEEN


def recognise(server_names: Sequence[str]) -> Hoster | None:
    """The hoster to whom all of the name servers belong, None if there is no one such."""
    for hoster in HOSTERS:
        if server_names and all(_is_of(hoster, name) for name in server_names):
            return hoster
    return None


def _is_of(hoster: Hoster, server_name: str) -> bool:
    return any(fits(server_name, pattern) for pattern in hoster.name_servers)


_IONOS_DNS = "https://ionos.de/hilfe/domains/allgemeine-informationen-zu-dns-einstellungen/dns-services-verwalten"
_STRATO_TXT = (
    "https://www.strato.de/faq/domains/was-ist-der-txt-record-und-wie-kann-ich-ihn-verwenden/"
)
_STRATO_MX = "https://www.strato.de/faq/article/1831/Welche-Einstellungen-kann-ich-im-Konfigurationsdialog-MX-Record-vornehmen.html"
_HETZNER_MX = "https://docs.hetzner.com/de/networking/dns/record-types/mx-record"
_NETCUP_DNS = "https://www.netcup.com/en/helpcenter/documentation/web-hosting/webhosting-dns"
_HOSTPOINT_DNS = (
    "https://support.hostpoint.ch/en/technical/dns/general-questions-about-dns/permitted-records"
)
_CLOUDFLARE_TYPES = (
    "https://developers.cloudflare.com/dns/manage-dns-records/reference/dns-record-types"
)
_AWS_TYPES = "https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/ResourceRecordTypes.html"
_GODADDY_TXT = "https://www.godaddy.com/pl-pl/help/dodawanie-rekordu-txt-19232"

HOSTERS = (
    Hoster(
        "ionos",
        "IONOS",
        ("ns#.ui-dns.de", "ns#.ui-dns.biz", "ns#.ui-dns.org", "ns#.ui-dns.com"),
        "https://www.ionos.es/ayuda/dominios/glosario-explicaciones-sobre-conceptos-y-temas-importantes/servidores-dns",
        (Note(NoteCode.RESOLVES_CONFLICTS, _IONOS_DNS),),
        help_url=_IONOS_DNS,
    ),
    Hoster(
        "strato",
        "STRATO",
        (),
        _STRATO_TXT,
        (Note(NoteCode.SHORT_NAME, _STRATO_TXT), Note(NoteCode.FINAL_DOT, _STRATO_MX, "MX")),
        NameForm.SHORT,
        _STRATO_TXT,
    ),
    Hoster(
        "hetzner",
        "Hetzner",
        ("hydrogen.ns.hetzner.com", "oxygen.ns.hetzner.com", "helium.ns.hetzner.de"),
        "https://github.com/hetznercloud/hcloud-python/blob/main/tests/unit/zones/conftest.py",
        (Note(NoteCode.AT_SIGN, _HETZNER_MX), Note(NoteCode.FINAL_DOT, _HETZNER_MX, "MX")),
        NameForm.SHORT,
        _HETZNER_MX,
    ),
    Hoster(
        "netcup",
        "netcup",
        ("root-dns.netcup.net", "second-dns.netcup.net", "third-dns.netcup.net"),
        "https://github.com/DNSControl/dnscontrol/blob/main/providers/netcup/netcupProvider.go",
        (Note(NoteCode.AT_SIGN, _NETCUP_DNS), Note(NoteCode.MX_PRIORITY_FIELD, _NETCUP_DNS)),
        NameForm.SHORT,
        _NETCUP_DNS,
    ),
    Hoster(
        "inwx",
        "INWX",
        ("ns.inwx.de", "ns2.inwx.de", "ns3.inwx.eu"),
        "https://github.com/DNSControl/dnscontrol/blob/main/providers/inwx/inwxProvider.go",
    ),
    Hoster(
        "domainfactory",
        "DomainFactory",
        ("ns.namespace4you.de", "ns#.namespace4you.de"),
        "https://www.df.eu/blog/tag/domain/page/2/",
        help_url="https://df.eu/de/support/df-faq/domains/nameserver",
    ),
    Hoster(
        "hostpoint",
        "Hostpoint",
        ("ns.hostpoint.ch", "ns#.hostpoint.ch"),
        _HOSTPOINT_DNS,
        (Note(NoteCode.UNDERSCORE, _HOSTPOINT_DNS, "TXT SRV"),),
        help_url=_HOSTPOINT_DNS,
    ),
    Hoster(
        "infomaniak",
        "Infomaniak",
        ("ns#.infomaniak.com",),
        "https://infomaniak.com/it/assistenza/faq/admin2/dominio?i=3",
    ),
    Hoster(
        "ovh",
        "OVHcloud",
        ("dns#.ovh.net", "ns#.ovh.net"),
        "https://github.com/ovh/docs/blob/master/pages/web_cloud/domains/dns_server_general_information/guide.en-gb.md",
        help_url="https://docs.ovhcloud.com/en/guides/web-cloud/domains/dns-zone-records.md",
    ),
    Hoster(
        "cloudflare",
        "Cloudflare",
        (
            ".ns.cloudflare.com",
            ".foundationdns.com",
            ".foundationdns.net",
            ".foundationdns.org",
        ),
        "https://developers.cloudflare.com/dns/nameservers/",
        (
            Note(NoteCode.AT_SIGN, _CLOUDFLARE_TYPES),
            Note(NoteCode.UNDERSCORE, _CLOUDFLARE_TYPES),
            Note(
                NoteCode.SPLITS_ITSELF,
                "https://github.com/cloudflare/cloudflare-typescript/pull/1777.diff",
            ),
        ),
        NameForm.SHORT,
        _CLOUDFLARE_TYPES,
    ),
    Hoster(
        "route53",
        "Amazon Route 53",
        ("ns-#.awsdns-#.com", "ns-#.awsdns-#.net", "ns-#.awsdns-#.org", "ns-#.awsdns-#.co.uk"),
        "https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/SOA-NSrecords.html",
        (
            Note(NoteCode.FINAL_DOT_OPTIONAL, _AWS_TYPES),
            Note(NoteCode.QUOTES, "https://github.com/ansible/ansible/issues/6112"),
            Note(NoteCode.SPLIT_255, "https://github.com/aws/aws-cdk/issues/9984"),
        ),
        help_url=_AWS_TYPES,
    ),
    Hoster(
        "godaddy",
        "GoDaddy",
        ("ns#.domaincontrol.com",),
        "https://github.com/AnalogJ/lexicon/issues/478",
        (
            Note(NoteCode.SHORT_NAME, _GODADDY_TXT),
            Note(NoteCode.AT_SIGN, _GODADDY_TXT),
            Note(NoteCode.MAX_VALUE, _GODADDY_TXT, "1024"),
        ),
        NameForm.SHORT,
    ),
    Hoster(
        "namecheap",
        "Namecheap",
        ("dns#.registrar-servers.com",),
        "https://ask.zonewebsites.us/domain/how-to-change-dns-for-a-domain",
        (
            Note(
                NoteCode.MAX_VALUE,
                "https://www.namecheap.com/support/knowledgebase/article.aspx/10058/10/namecheap-dns-limits/",
                "2500",
            ),
        ),
        help_url="https://www.namecheap.com/support/knowledgebase/article.aspx/10058/10/namecheap-dns-limits/",
    ),
)
