#!/usr/bin/env python
"""Django's command line. A setting that is wrong is one line and exit code 2, never a traceback."""

import os
import sys
from pathlib import Path


def main() -> None:
    """Runs one command."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "proca_crm.settings")
    try:
        from django.core.management import execute_from_command_line
    except ImportError:
        sys.exit("Django is not installed here: ./run demo makes .venv, then use .venv/bin/python manage.py")
    from django.conf import settings
    from django.core.exceptions import ImproperlyConfigured

    try:
        # Django itself would go on without settings and complain about something else.
        _ = settings.INSTALLED_APPS
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        print(f"{Path(sys.argv[0]).name}: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
