"""Settings, read from the environment; a fresh clone runs without any variable.

`deploy/panel/env.example` lists each variable. Wrong combinations are found at start by
`panel.checks`.
"""

import base64
import hashlib
from pathlib import Path
from typing import Any

import structlog
from csp.constants import NONE, SELF
from django.utils.translation import gettext_lazy as _

from maildns.readiness.facts import PORT_25_NAMES as PORT_25_NAMES_
from maildns.readiness.facts import TIME_SERVERS as TIME_SERVERS_
from panel.env import env, host_name, name_servers, secret, servers, zone_servers
from panel.logs import logging_config

BASE_DIR = Path(__file__).resolve().parent.parent

# Trial mode is the private set-up of `make run` and of the tests: demo data, SQLite, plain HTTP
# on loopback. Production names a public address, so it is never in trial mode by accident.
PUBLIC_URL = env.str("POSTKONTOR_PUBLIC_URL", default="http://127.0.0.1:8025").rstrip("/")
TRIAL = env.bool("POSTKONTOR_TRIAL", default=PUBLIC_URL.startswith("http://127.0.0.1"))
STATE_DIR = Path(env.str("POSTKONTOR_STATE", default=str(BASE_DIR / "var")))
DEBUG = env.bool("DEBUG", default=False)
SECRET_KEY = secret("SECRET_KEY", trial=TRIAL)
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", default=[])


def _fernet_key(text: str) -> str:
    """A Fernet key as it stands, or one derived from any other long random text."""
    try:
        if len(base64.urlsafe_b64decode(text)) == 32:
            return text
    except ValueError:
        pass
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode()


# The first key encrypts, all decrypt: mailadmin/crypto.py.
FIELD_KEYS = [
    _fernet_key(key) for key in secret("FIELD_KEY", trial=TRIAL).replace(",", " ").split() if key
]

PUBLIC_HOST = PUBLIC_URL.split("://", 1)[1].split("/", 1)[0]
# The name under which the DNS of domains finds the panel; empty where it has none.
WEB_NAME = env.str("POSTKONTOR_WEB_NAME", default=host_name(PUBLIC_HOST))
# What the domains include in their SPF, and where reports about their mail go.
SPF_INCLUDE = env.str("POSTKONTOR_SPF_INCLUDE", default=WEB_NAME and f"_spf.{WEB_NAME}")
REPORTS_DOMAIN = env.str("POSTKONTOR_REPORTS_DOMAIN", default=WEB_NAME and f"reports.{WEB_NAME}")
ALLOWED_HOSTS = env.list(
    "ALLOWED_HOSTS",
    default=[
        PUBLIC_HOST.rsplit(":", 1)[0],
        *(["127.0.0.1", "localhost", "[::1]"] if TRIAL else []),
    ],
)
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL] if PUBLIC_URL.startswith("https://") else []

INSTALLED_APPS = [
    "panel.apps.PanelConfig",
    "mailadmin.apps.MailAdminConfig",
    "maildns.apps.MailDnsConfig",
    "panel.apps.PanelAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.humanize",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "django_htmx",
    "template_partials",
    "django_structlog",
    "csp",
]

MIDDLEWARE = [
    "panel.middleware.MtaStsMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "panel.middleware.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "panel.middleware.RequestIdMiddleware",
    "django_structlog.middlewares.RequestMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "panel.middleware.ActorMiddleware",
    "panel.middleware.HeadersMiddleware",
]

ROOT_URLCONF = "panel.urls"
WSGI_APPLICATION = "panel.wsgi.application"

TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "panel.context.panel",
            ],
        },
    },
]

# --- database -----------------------------------------------------------------------------------

DATABASE_URL = env.str("DATABASE_URL", default=f"sqlite:///{STATE_DIR / 'panel' / 'db.sqlite3'}")
DATABASES: dict[str, dict[str, Any]] = {"default": env.db_url_config(DATABASE_URL)}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    # Without these a writer that meets another one fails at once ("database is locked").
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": (
            "PRAGMA journal_mode=WAL;PRAGMA synchronous=NORMAL;"
            "PRAGMA busy_timeout=20000;PRAGMA foreign_keys=ON;"
        ),
    }
    DATABASES["default"]["CONN_MAX_AGE"] = None
else:
    DATABASES["default"]["CONN_MAX_AGE"] = 0
    DATABASES["default"]["OPTIONS"] = {"pool": {"min_size": 1, "max_size": 16, "timeout": 10}}
ATOMIC_REQUESTS = False
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Throttles of the log-in must outlive Redis and a restart, so the cache is a database table.
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "panel_cache",
    }
}

# --- people -------------------------------------------------------------------------------------

AUTH_USER_MODEL = "mailadmin.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [{"NAME": "mailadmin.passwords.StrengthValidator"}]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "dashboard"
ACCOUNT_LOGOUT_REDIRECT_URL = "account_login"
ACCOUNT_ADAPTER = "panel.adapters.AccountAdapter"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_RATE_LIMITS = {
    "login": "60/m/ip",
    "login_failed": "10/m/ip,5/5m/key",
    "reset_password": "20/m/ip,5/m/key",
    "reset_password_from_key": "20/m/ip",
}
ACCOUNT_LOGOUT_ON_PASSWORD_CHANGE = False
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_DEFAULT_HTTP_PROTOCOL = PUBLIC_URL.split(":", 1)[0]

# --- security -----------------------------------------------------------------------------------

_https = PUBLIC_URL.startswith("https://")
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _https
SESSION_COOKIE_NAME = "__Host-session" if _https else "session"
CSRF_COOKIE_NAME = "__Host-csrf" if _https else "csrf"
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 12 * 3600
SECURE_SSL_REDIRECT = _https
SECURE_REDIRECT_EXEMPT = [r"^healthz$"]
SECURE_HSTS_SECONDS = 31_536_000 if _https else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = env.bool("POSTKONTOR_HSTS_SUBDOMAINS", default=_https)
SECURE_HSTS_PRELOAD = env.bool("POSTKONTOR_HSTS_PRELOAD", default=_https)
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
# Named only behind a proxy that sets it and is the only way in: SECURITY.md.
if env.bool("POSTKONTOR_BEHIND_PROXY", default=_https):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
DATA_UPLOAD_MAX_MEMORY_SIZE = 1_048_576
DATA_UPLOAD_MAX_NUMBER_FIELDS = 500
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "manifest-src": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
        "object-src": [NONE],
    }
}
CSRF_FAILURE_VIEW = "panel.pages.errors.csrf_failure"

# --- languages ----------------------------------------------------------------------------------

LANGUAGE_CODE = "en"
LANGUAGES = [("de", _("German")), ("en", _("English"))]
LOCALE_PATHS = [BASE_DIR / "locale"]
LANGUAGE_COOKIE_NAME = "language"
LANGUAGE_COOKIE_SAMESITE = "Lax"
LANGUAGE_COOKIE_SECURE = _https
USE_I18N = True
USE_TZ = True
TIME_ZONE = env.str("TIME_ZONE", default="Europe/Berlin")

# --- static files -------------------------------------------------------------------------------

STATIC_URL = "static/"
STATIC_ROOT = Path(env.str("STATIC_ROOT", default=str(STATE_DIR / "panel" / "static")))
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": env.str(
            "STATICFILES_BACKEND", default="whitenoise.storage.CompressedManifestStaticFilesStorage"
        )
    },
}

# --- mail of the panel itself -------------------------------------------------------------------

EMAIL_BACKEND = env.str("EMAIL_BACKEND", default="django.core.mail.backends.smtp.EmailBackend")
EMAIL_HOST = env.str("EMAIL_HOST", default="127.0.0.1")
EMAIL_PORT = env.int("EMAIL_PORT", default=2527 if TRIAL else 25)
EMAIL_HOST_USER = env.str("EMAIL_HOST_USER", default="")
EMAIL_HOST_PASSWORD = env.str("EMAIL_HOST_PASSWORD", default="")
EMAIL_USE_TLS = env.bool("EMAIL_USE_TLS", default=False)
EMAIL_TIMEOUT = 5
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="Postkontor <postkontor@localhost>")
SERVER_EMAIL = DEFAULT_FROM_EMAIL

# --- what Postkontor itself can be told ---------------------------------------------------------

# Where postmaster@ and its like go when an account names no contact address.
OPERATOR_ADDRESS = env.str("POSTKONTOR_OPERATOR_ADDRESS", default="operator@outside.example")
# .test, .example and their like: never in production (RFC 6761).
ALLOW_SPECIAL_USE_DOMAINS = env.bool("POSTKONTOR_ALLOW_SPECIAL_USE_DOMAINS", default=TRIAL)
TRASH_DAYS = env.int("POSTKONTOR_TRASH_DAYS", default=30)
PUSH_BATCH_ROWS = env.int("POSTKONTOR_PUSH_BATCH_ROWS", default=5000)
# The share of a host's mailboxes that one batch may remove without a person's word.
MASS_REMOVAL_SHARE = env.float("POSTKONTOR_MASS_REMOVAL_SHARE", default=0.2)
AGENT_CONNECT_TIMEOUT_SECONDS = env.float("POSTKONTOR_AGENT_CONNECT_TIMEOUT", default=3.0)
AGENT_READ_TIMEOUT_SECONDS = env.float("POSTKONTOR_AGENT_READ_TIMEOUT", default=60.0)

# --- the live DNS: mailadmin/dnsconfig.py -------------------------------------------------------

# Servers that look names up for us; without any the walk begins at the roots.
DNS_RESOLVERS = name_servers("POSTKONTOR_DNS_RESOLVERS")
# Servers of zones that no delegation leads to, such as those of a trial.
DNS_OVERRIDES = zone_servers("POSTKONTOR_DNS_OVERRIDES")
# Never in production: anybody could have us knock at doors inside, by naming them in his zone.
DNS_PRIVATE_ADDRESSES = env.bool("POSTKONTOR_DNS_PRIVATE_ADDRESSES", default=False)

# --- readiness of hosts -------------------------------------------------------------------------

# How a host's readiness is judged: block lists, receivers whose port 25 is tried, and servers of
# the time (NTP). What maildns takes itself, unless others are named.
BLOCK_LISTS = env.list("POSTKONTOR_BLOCK_LISTS", default=None)
PORT_25_NAMES = tuple(env.list("POSTKONTOR_PORT_25_NAMES", default=list(PORT_25_NAMES_)))
PORT_25_HOSTS = servers(env.str("POSTKONTOR_PORT_25_HOSTS", default=""), 25)
TIME_SERVERS = servers(
    env.str("POSTKONTOR_TIME_SERVERS", default=" ".join(name for name, _port in TIME_SERVERS_)), 123
)
# The certificates that a host's own is judged by; empty: those of the system.
CA_FILE = env.str("POSTKONTOR_CA_FILE", default="")

# --- Celery -------------------------------------------------------------------------------------

REDIS_URL = env.str("REDIS_URL", default="redis://127.0.0.1:2579/0")
CELERY_BROKER_URL = REDIS_URL
CELERY_TASK_DEFAULT_QUEUE = "push"
CELERY_TASK_ACKS_LATE = True
# A killed task would be delivered for ever: the database is the queue, so it may be lost.
CELERY_TASK_REJECT_ON_WORKER_LOST = False
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_IGNORE_RESULT = True
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_SERIALIZER = "json"
CELERY_WORKER_ENABLE_REMOTE_CONTROL = False
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_TASK_PUBLISH_RETRY = False
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 3600,
    "socket_connect_timeout": 0.5,
    "socket_timeout": 5,
    "max_retries": 0,
}
CELERY_BEAT_SCHEDULE_FILENAME = str(STATE_DIR / "panel" / "beat-schedule")
CELERY_BEAT_SCHEDULE = {
    "sweep": {"task": "mailadmin.tasks.sweep", "schedule": 15.0},
    "check-drift": {"task": "mailadmin.tasks.check_all_drift", "schedule": 3600.0},
    "send-welcomes": {"task": "panel.tasks.send_welcomes", "schedule": 60.0},
    "watch-sending": {"task": "panel.tasks.watch_sending", "schedule": 60.0},
    "check-dns": {"task": "panel.tasks.check_dns", "schedule": 60.0},
    "rotate-keys": {"task": "panel.tasks.rotate_keys", "schedule": 3600.0},
    "empty-trash": {"task": "panel.tasks.empty_trash", "schedule": 3600.0},
}

# --- logs ---------------------------------------------------------------------------------------

LOG_FORMAT = env.str("POSTKONTOR_LOG_FORMAT", default="json")
LOGGING = logging_config(LOG_FORMAT)
DJANGO_STRUCTLOG_CELERY_ENABLED = False
structlog.configure(
    processors=[
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.filter_by_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
    ],
    logger_factory=structlog.stdlib.LoggerFactory(),
    cache_logger_on_first_use=True,
)
