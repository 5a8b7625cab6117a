"""Makes a token for a program that uses the API."""

from __future__ import annotations

import argparse
import sys
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from sync.access.tokens import Scope, issue
from sync.store.errors import Away, told_apart

_LARGEST_ORG = 2**63 - 1
_LONGEST_LIFE = 36_500


class Command(BaseCommand):
    """`create_token NAME --scope … [--org N] [--days N]`."""

    help = "Makes an API token and prints it, once: only its hash is kept. Revoke it in the admin."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument("name", metavar="NAME", type=_name, help="what it is for, shown in the admin")
        parser.add_argument(
            "--scope",
            action="append",
            required=True,
            choices=[str(scope) for scope in Scope],
            help="repeatable: read; write (and read); ingest (Proca's own deliveries); admin (all but ingest)",
        )
        parser.add_argument(
            "--org", type=_org, metavar="N", help="only this organisation's subscriptions; ingest needs one"
        )
        parser.add_argument("--days", type=_days, metavar="N", help="how long it is good; default: until revoked")

    def handle(self, *args: Any, **options: Any) -> None:
        """Make it."""
        scopes = [Scope(scope) for scope in options["scope"]]
        org = options["org"]
        if org is None and Scope.INGEST in scopes:
            org = settings.PROCA_ORG
            if org is None:
                raise CommandError("an ingest token needs an organisation: --org N, or set PROCA_ORG", returncode=2)
        expires_at = timezone.now() + timedelta(days=options["days"]) if options["days"] else None
        try:
            with told_apart():
                _, text = issue(options["name"], scopes, org=org, actor="command", expires_at=expires_at)
        except Away as away:
            raise CommandError(f"the database is away ({away.reason})") from None
        self.stdout.write(text)
        # Apart from the token, which scripts read.
        print("This is shown once. Send it as: Authorization: Bearer TOKEN", file=sys.stderr)


def _name(text: str) -> str:
    if not text.strip() or len(text) > 200 or "\0" in text:
        raise argparse.ArgumentTypeError("must be 1 to 200 characters")
    return text.strip()


def _org(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 0 < int(text[:20]) <= _LARGEST_ORG:
        raise argparse.ArgumentTypeError("must be the number of an organisation")
    return int(text)


def _days(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 0 < int(text[:9]) <= _LONGEST_LIFE:
        raise argparse.ArgumentTypeError("must be a number of days")
    return int(text)
