"""Wait until all hosts have taken and proved all changes."""

from __future__ import annotations

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import F

from mailadmin.models import HostRow, MailHost


class Command(BaseCommand):
    help = "Wait until every host has applied and proved every change."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--seconds", type=float, default=60)

    def handle(self, *args: Any, **options: Any) -> None:
        end = time.monotonic() + options["seconds"]
        while True:
            behind = MailHost.objects.filter(generation__gt=F("applied_generation")).count()
            waiting = HostRow.objects.filter(next_proof_at__isnull=False).count()
            if not behind and not waiting:
                return
            if time.monotonic() > end:
                faults = list(
                    MailHost.objects.exclude(fault_code="").values_list("name", "fault_code")
                ) + list(HostRow.objects.exclude(fault_code="").values_list("kind", "fault_code"))
                raise CommandError(f"Not even after {options['seconds']:g} s: {faults[:5]}")
            time.sleep(0.1)
