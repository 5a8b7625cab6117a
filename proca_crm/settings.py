"""Django's settings, read from the environment or from `.env`. README.md lists them."""

import warnings
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.templatetags.static import static

from proca_crm.broker import Broker, certificates, org_of_queue, parse_broker
from proca_crm.databases import parse_database
from proca_crm.environment import Environment, Misconfigured, whole_number
from proca_crm.logging import log_settings
from proca_crm.web import hosts_and_networks, public_url, this_machine

BASE_DIR = Path(__file__).resolve().parent.parent

env = Environment()
env.read_file(BASE_DIR / ".env")

# --- Secrets -----------------------------------------------------------------------------------------

SECRET_KEY: str = env.get_value("SECRET_KEY")
# Seals the secrets of destinations; the first encrypts, all decrypt.
FIELD_ENCRYPTION_KEYS = env.secrets("FIELD_ENCRYPTION_KEY")
# Erasure marks; the newest first.
HASH_KEYS = env.secrets("HASH_KEY")

# --- Web ---------------------------------------------------------------------------------------------

DEBUG = env.switch("DEBUG", default=False)
ALLOWED_HOSTS = list(env.words("ALLOWED_HOSTS", default=("localhost", "127.0.0.1", "[::1]")))
if DEBUG and not all(map(this_machine, ALLOWED_HOSTS)):
    raise Misconfigured("DEBUG", "is refused while ALLOWED_HOSTS names anything but this machine")

PUBLIC_URL: str = env.parsed("PUBLIC_URL", public_url, default="")
TRUST_PROXY = env.switch("TRUST_PROXY", default=False)
if PUBLIC_URL:
    CSRF_TRUSTED_ORIGINS = [PUBLIC_URL]
    SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = PUBLIC_URL.startswith("https:")
    _public_host = urlsplit(PUBLIC_URL).hostname or ""
    if _public_host not in ALLOWED_HOSTS:
        ALLOWED_HOSTS.append(f"[{_public_host}]" if ":" in _public_host else _public_host)
if TRUST_PROXY:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    USE_X_FORWARDED_HOST = True

MAX_BODY_MB = env.number("MAX_BODY_MB", default=16, least=1)
DATA_UPLOAD_MAX_MEMORY_SIZE = MAX_BODY_MB * 1024 * 1024
SECURE_REFERRER_POLICY = "same-origin"
DEFAULT_EXCEPTION_REPORTER_FILTER = "proca_crm.web.Reticent"

# The suite is pytest's; manage.py test hands over to it.
TEST_RUNNER = "tests.runner.Pytest"
ROOT_URLCONF = "proca_crm.urls"
WSGI_APPLICATION = "proca_crm.wsgi.application"
LOGIN_URL = "admin:login"
AUTHENTICATION_BACKENDS = ["sync.access.login.LimitedLogin"]

INSTALLED_APPS = [
    # Before the theme, some of whose templates it replaces.
    "sync",
    # Before django.contrib.admin, whose templates it replaces.
    "unfold",
    "unfold.contrib.filters",
    "unfold.contrib.forms",
    # The desk is found where it is served (urls): two fifths of what a command takes to start would go into it.
    "django.contrib.admin.apps.SimpleAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    # Before django.contrib.staticfiles, so that runserver serves them the same way as gunicorn.
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "proca_crm.csp.ContentSecurityPolicy",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "libraries": {"desk": "sync.admin.tags"},
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
# Serves from the apps themselves, so that nothing must be collected before the first start.
WHITENOISE_USE_FINDERS = True
warnings.filterwarnings("ignore", message="No directory at")

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

LANGUAGE_CODE = "en"
# Our own words are English; a page in two languages helps nobody.
LANGUAGES = [("en", "English")]
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"

UNFOLD = {
    "SITE_TITLE": "Proca CRM",
    "SITE_HEADER": "Proca CRM",
    "SITE_SYMBOL": "campaign",
    "SITE_URL": None,
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("desk/icon.svg")}],
    "SHOW_HISTORY": False,
    "STYLES": [lambda request: static("desk/desk.css")],
    "DASHBOARD_CALLBACK": "sync.admin.start.dashboard",
    "SIDEBAR": {"navigation": "sync.admin.navigation.navigation"},
}

# --- API -------------------------------------------------------------------------------------------

REST_FRAMEWORK: dict[str, Any] = {
    # Without them DRF would ask for Django's users and permissions, which no token has.
    "UNAUTHENTICATED_USER": None,
    "UNAUTHENTICATED_TOKEN": None,
    "URL_FORMAT_OVERRIDE": None,
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "sync.api.problems.answer",
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": [],
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Proca CRM",
    "DESCRIPTION": "Supporters, what they did and agreed to, and what changed. docs/api.md has examples.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.1",
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PUBLIC": True,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_AUTHENTICATION": [],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "SWAGGER_UI_SETTINGS": {"deepLinking": True, "persistAuthorization": False},
    "ENUM_NAME_OVERRIDES": {"ConsentKindEnum": "sync.api.shapes.CONSENT_KINDS"},
}

# --- Database ----------------------------------------------------------------------------------------

DATABASES = {
    "default": parse_database(env.get_value("DATABASE_URL", default=f"sqlite:///{BASE_DIR / 'db.sqlite3'}"), BASE_DIR)
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Proca -------------------------------------------------------------------------------------------

PROCA_BROKER: Broker | None = env.parsed(
    "PROCA_URL",
    lambda url: parse_broker(
        url, env.get_value("PROCA_USERNAME", default=""), env.get_value("PROCA_PASSWORD", default="")
    ),
    default=None,
)
PROCA_QUEUES = env.words("PROCA_QUEUE")
PROCA_ORG: int | None = env.parsed("PROCA_ORG", lambda text: whole_number(text, 1), org_of_queue(PROCA_QUEUES))
PROCA_CA_FILE: str | None = env.parsed("PROCA_CA_FILE", certificates, default=None)
# A path or the JSON itself; sync reads it.
PROCA_KEYS: str = env.get_value("PROCA_KEYS", default="")
PROCA_MAX_RETRIES = env.number("PROCA_MAX_RETRIES", default=5, least=0)
SUBSCRIPTION_POLICY = env.one_of("SUBSCRIPTION_POLICY", "opt_in", ("opt_in", "double_opt_in"))

# --- Destinations and the change feed ----------------------------------------------------------------

PUSH_ALLOW_HOSTS: tuple[str, ...] = env.parsed("PUSH_ALLOW_HOSTS", hosts_and_networks, default=())
EXPORT_DIR: Path | None = env.parsed("EXPORT_DIR", Path, default=None)
CHANGES_KEEP_DAYS = env.number("CHANGES_KEEP_DAYS", default=400, least=1)

# --- Watching it work --------------------------------------------------------------------------------

SENTRY_DSN: str = env.get_value("SENTRY_DSN", default="")
LOG_FORMAT = env.one_of("LOG_FORMAT", "console", ("console", "json"))
LOG_LEVEL = env.one_of("LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"))
LOGGING = log_settings(LOG_FORMAT, LOG_LEVEL)
