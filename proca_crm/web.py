"""Which addresses the web server answers to, and what may be shown on its debug pages."""

import ipaddress
import re
from urllib.parse import urlsplit

from django.views.debug import SafeExceptionReporterFilter

from proca_crm.environment import comma_separated

LABEL = r"[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9])?"
HOSTNAME = re.compile(rf"(?=.{{1,253}}$){LABEL}(\.{LABEL})*")


class Reticent(SafeExceptionReporterFilter):
    """Blanks our addresses on debug pages too: they hold a password each."""

    hidden_settings = re.compile(
        r"API|AUTH|TOKEN|KEY|SECRET|PASS|SIGNATURE|COOKIE|URL|DSN|PROCA|DATABASE", flags=re.IGNORECASE
    )


def this_machine(host: str) -> bool:
    """Whether a name in ALLOWED_HOSTS can only mean this machine."""
    bare = host.strip().strip("[]").lower().rstrip(".")
    if bare == "localhost" or bare.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(bare).is_loopback
    except ValueError:
        return False


def public_url(text: str) -> str:
    """`https://crm.example.org`: where people find this server, without a path."""
    try:
        parts = urlsplit(text.strip())
        host = parts.hostname
        _ = parts.port
    except ValueError:
        host = None
    else:
        if parts.scheme not in ("http", "https") or parts.path not in ("", "/") or "@" in parts.netloc:
            host = None
        if parts.query or parts.fragment:
            host = None
    if not host:
        raise ValueError("must look like https://crm.example.org, without a path")
    return f"{parts.scheme}://{parts.netloc}"


def hosts_and_networks(text: str) -> tuple[str, ...]:
    """Host names, addresses or networks such as 10.0.0.0/8, comma separated."""
    places = comma_separated(text)
    for place in places:
        if not _is_network(place) and not HOSTNAME.fullmatch(place):
            raise ValueError("must be host names, addresses or networks, comma separated")
    return places


def _is_network(place: str) -> bool:
    try:
        ipaddress.ip_network(place.strip("[]"))
    except ValueError:
        return False
    return True
