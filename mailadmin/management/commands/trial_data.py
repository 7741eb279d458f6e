"""Make the people, the host and the domain of a trial. Refused outside trial mode."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from mailadmin.actors import Actor, operator_by_command
from mailadmin.models import Account, Domain, Mailbox, Membership, Plan, User
from mailadmin.services import (
    accounts,
    aliases,
    dkim,
    domains,
    forwards,
    hosts,
    mailboxes,
    publishing,
    readiness,
)

REASON = "Trial data: example.test belongs to nobody (RFC 2606)."


class Command(BaseCommand):
    help = "Make the trial's people, host and domain. Reads the facts as JSON from standard input."

    def handle(self, *args: Any, **options: Any) -> None:
        """Safe to repeat. Reads `{"agent", "host", "client_settings", "mailbox": {"address",
        "password"}, "admin"|"reseller"|"customer": {"email", "password"},
        "dns": {"server", "zones", "tsig_name", "tsig_algorithm", "tsig_file"}}`; `tsig_file` holds
        the secret in base64."""
        if not settings.TRIAL:
            raise CommandError("Demo data is for trials; this is not one (POSTKONTOR_TRIAL).")
        facts = json.load(sys.stdin)
        by = operator_by_command()
        hosts.add_host(
            facts["host"],
            facts["agent"],
            by=by,
            client_settings=facts["client_settings"],
            addresses=facts["addresses"],
        )
        if User.objects.filter(email=facts["admin"]["email"]).exists():
            return
        accounts.create_operator_user(**facts["admin"], by=by, name="Ada Admin")
        operator = accounts.the_operator()
        wholesale = Plan.objects.create(
            name="Wholesale", owner=operator, max_domains=100, max_mailboxes=500,
            max_aliases=1000, max_forwards=1000, max_quota_mib=1_048_576, domains_by_word=True,
        )  # fmt: skip
        reseller = accounts.create_account(
            "Bob's Hosting", Account.Kind.RESELLER, plan=wholesale, by=by,
            contact_address="bob@outside.example",
        )  # fmt: skip
        self._person(facts["reseller"], "Bob Reseller", reseller, by)
        plan = Plan.objects.create(
            name="M", owner=reseller, max_domains=3, max_mailboxes=25, max_aliases=100,
            max_forwards=100, max_quota_mib=51_200, default_quota_mib=1024,
        )  # fmt: skip
        customer = accounts.create_account(
            "Müller Dach", Account.Kind.CUSTOMER, plan=plan, by=by, parent=reseller,
            contact_address="alice@outside.example",
        )  # fmt: skip
        self._person(facts["customer"], "Alice Müller", customer, by)
        self._domain(facts["mailbox"], facts["dns"], customer, by)
        User.objects.filter(
            email__in=[facts[who]["email"] for who in ("admin", "reseller", "customer")]
        ).update(is_demo=True)

    def _person(self, facts: dict[str, str], name: str, account: Account, by: Actor) -> None:
        user = accounts.create_user(facts["email"], facts["password"], by=by, name=name)
        accounts.add_member(account, user, Membership.Role.OWNER, by=by)

    def _domain(
        self, mailbox: dict[str, str], dns: dict[str, Any], account: Account, by: Actor
    ) -> None:
        local_part, _at, name = mailbox["address"].partition("@")
        domain: Domain = domains.hold_domain_by_word(name, account, reason=REASON, by=by)
        key = domain.zone.dkim_keys.get(algorithm="rsa")
        dkim.switch_to_signing_by_word(domain, key, reason=REASON, by=by)
        address, port = dns["server"]
        options = {
            "server": address,
            "port": str(port),
            "key_name": dns["tsig_name"],
            "algorithm": dns["tsig_algorithm"],
        }
        secret = Path(dns["tsig_file"]).read_text(encoding="ascii").strip()
        publishing.save_access(domain, publishing.RFC2136, options, {"secret": secret}, by=by)
        for zone in dns["zones"]:
            if zone.endswith(".arpa"):
                readiness.save_reverse_access(zone, options, secret, by=by)
        chef: Mailbox = mailboxes.create_mailbox(
            domain, local_part=local_part, password=mailbox["password"], quota_mib=1024,
            name="Alice Müller", by=by,
        )  # fmt: skip
        aliases.create_alias(domain, local_part="alice", mailbox=chef, by=by)
        forwards.create_forward(
            domain,
            local_part="buero",
            targets=f"{mailbox['address']}\nsteuer@outside.example",
            by=by,
        )
