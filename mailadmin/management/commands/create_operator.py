"""Make the first operator of an empty installation."""

from __future__ import annotations

import getpass
import os
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from mailadmin import passwords
from mailadmin.actors import operator_by_command
from mailadmin.errors import WeakPassword
from mailadmin.models import User
from mailadmin.services import accounts


class Command(BaseCommand):
    help = "Make a person who may do everything; the password is asked for, never an argument."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")

    def handle(self, *args: Any, **options: Any) -> None:
        email = options["email"].strip().lower()
        if User.objects.filter(email=email).exists():
            raise CommandError(f"{email} exists already.")
        password = os.environ.get("POSTKONTOR_OPERATOR_PASSWORD") or getpass.getpass("Password: ")
        try:
            passwords.check_strength(password, address=email)
        except WeakPassword as error:
            raise CommandError(error.for_user()) from error
        accounts.create_operator_user(email, password, by=operator_by_command())
        self.stdout.write(f"{email} can log in now.")
