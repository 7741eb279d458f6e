"""Whether a record found in the DNS says the same as the one wanted."""

from __future__ import annotations

from maildns.dkim import parse_key_record
from maildns.dmarc import parse_dmarc
from maildns.errors import BadRecord
from maildns.mta_sts import parse_mta_sts
from maildns.records import Record, parse_form_value
from maildns.tls_rpt import parse_tls_rpt


def same_value(wanted: Record, found: str) -> bool:
    """Compare by meaning: keys, tags, numbers and names, not by spelling.

    `found` is a value as in Answer.values, or as a hoster's form shows it.
    """
    try:
        return _meaning(wanted, wanted.value) == _meaning(wanted, found)
    except BadRecord:
        return wanted.value == found


def _meaning(wanted: Record, value: str) -> object:
    if wanted.type != "TXT":
        return parse_form_value(wanted.type, value)
    if "._domainkey." in wanted.name:
        return parse_key_record(value)
    if wanted.name.startswith("_dmarc.") or "._report._dmarc." in wanted.name:
        return parse_dmarc(value)
    if wanted.name.startswith("_mta-sts."):
        return parse_mta_sts(value)
    if wanted.name.startswith("_smtp._tls."):
        return parse_tls_rpt(value)
    if wanted.value.startswith("v=spf1"):
        return value.lower().split()
    return value
