"""What is configured, and whether it works."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from sync import health
from sync.health import Doubtful, Finding, Sick
from sync.management.one_line import OneLineCommand, failure


class Command(OneLineCommand):
    """`check_proca`."""

    help = (
        "Tells what is configured and whether it works: database, queue, keys, secrets, quarantine, destinations; and "
        "what to do where it does not. Exit code 1 when something is broken; what is only worth a look is not."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the thorough look."""
        parser.add_argument("--deep", action="store_true", help="also look for rows without their counterpart")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Ask every probe, print what it says, and fail when one is sick."""
        probes = health.PROBES + health.MORE_PROBES + (health.DEEP_PROBES if options["deep"] else ())
        found = health.findings(timezone.now(), probes)
        for finding in found:
            self.stdout.write(_line(finding))
        broken = [finding.what for finding in found if isinstance(finding, Sick)]
        if broken:
            raise failure(f"{', '.join(broken)}: broken, see above")


def _line(finding: Finding) -> str:
    if isinstance(finding, Sick):
        return f"BROKEN   {finding.what}: {finding.says}. {finding.todo}"
    if isinstance(finding, Doubtful):
        return f"warning  {finding.what}: {finding.says}. {finding.todo}"
    return f"ok       {finding.what}: {finding.says}"
