"""Every setting, from the environment (or a `.env` file beside manage.py). docs/settings.md explains each value."""

from pathlib import Path

import environ
from csp.constants import NONE, SELF

from dashboard import keys

BASE_DIR = Path(__file__).resolve().parent.parent

env = environ.Env()
environ.Env.read_env(env.str("ENV_FILE", default=str(BASE_DIR / ".env")), encoding="utf-8")

# --- Where things are kept -------------------------------------------------------------------------------------------

DATA_DIR = Path(env.str("DATA_DIR", default=str(BASE_DIR / "data"))).absolute()
DATABASES = {"default": env.db_url("DATABASE_URL", default=f"sqlite:///{DATA_DIR / 'plimsoll.sqlite3'}")}
DATABASES["default"] |= {"CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    DATA_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Immediate transactions queue for the write lock; deferred ones fail with "database is locked" under load.
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON",
    }
elif DATABASES["default"]["ENGINE"].endswith("postgresql"):
    keys.require_psycopg()
    DATABASES["default"]["OPTIONS"] = {
        # A server that is gone is an error within seconds, not when the system gives the connection up.
        "connect_timeout": 5,
        "tcp_user_timeout": 20_000,
        # Locks are waited for as long as SQLite's; a process that hangs in a transaction does not hold them for ever.
        "options": "-c lock_timeout=20s -c idle_in_transaction_session_timeout=60s",
    } | DATABASES["default"].get("OPTIONS", {})
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Workers ---------------------------------------------------------------------------------------------------------

# Set: Celery's workers sync the accounts (dashboard/celery.py). Not set: `manage.py worker`, which needs no queue.
CELERY_BROKER_URL = env.str("CELERY_BROKER_URL", default="")

# --- Keys ------------------------------------------------------------------------------------------------------------

SECRET_KEY = env.str("SECRET_KEY", default="") or keys.kept(DATA_DIR / "secret_key", keys.secret_key)
# The first key encrypts; all of them decrypt, so that a key can be replaced without a gap.
CREDENTIAL_KEYS = env.list("CREDENTIAL_KEYS", default=[]) or keys.kept(
    DATA_DIR / "credential_keys", keys.credential_key
).split(",")

# --- Who may reach it, and how ---------------------------------------------------------------------------------------

DEBUG = env.bool("DEBUG", default=False)
HTTPS = env.bool("HTTPS", default=not DEBUG)
PORT = keys.port(env.str("PORT", default="8000"))
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
# Hosts (or host:port) besides the providers' own that an account may name; plain http is allowed for these only.
PROVIDER_HOSTS = env.list("PROVIDER_HOSTS", default=[])
# Where Azure's tokens come from, instead of the cloud's own place.
AZURE_LOGIN_URL = env.str("AZURE_LOGIN_URL", default="").rstrip("/")

# Whoever sends it may read /metrics; without it nobody does.
METRICS_TOKEN = env.str("METRICS_TOKEN", default="")

SECURE_SSL_REDIRECT = HTTPS
SECURE_REDIRECT_EXEMPT = [r"^(livez|readyz|metrics)$"]  # asked from near by, over plain http
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if HTTPS else 0
TRUST_PROXY = env.bool("TRUST_PROXY", default=False)
if TRUST_PROXY:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
# Sub-domains and browsers' preload lists are a decision about a whole domain, which one dashboard must not make.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]

# The __Host- prefix makes browsers refuse these cookies from sub-domains and over plain http.
_PREFIX = "__Host-" if HTTPS else ""
SESSION_COOKIE_NAME = f"{_PREFIX}sessionid"
SESSION_COOKIE_SECURE = HTTPS
CSRF_COOKIE_NAME = f"{_PREFIX}csrftoken"
CSRF_COOKIE_SECURE = HTTPS
CSRF_COOKIE_HTTPONLY = True
CSRF_FAILURE_VIEW = "dashboard.views.errors.csrf_failed"
X_FRAME_OPTIONS = "DENY"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "style-src": [SELF],
        "script-src": [SELF],
        "img-src": [SELF, "data:"],  # data: is for the arrows and ticks inside Bootstrap's style sheet
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
        "object-src": [NONE],
    },
}

# --- The application -------------------------------------------------------------------------------------------------

INSTALLED_APPS = [
    "dashboard",
    "runs",
    "whitenoise.runserver_nostatic",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "csp",
    "django_htmx",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "dashboard.request_watch.watch_requests",
    # Below WhiteNoise, whose files are compressed already. Random padding keeps lengths from telling secrets (BREACH).
    "django.middleware.gzip.GZipMiddleware",
    "dashboard.middleware.machines_first",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "dashboard.request_watch.name_the_person",
    "dashboard.middleware.private_pages",
    "dashboard.middleware.SignInRequired",
    "dashboard.middleware.viewer_time_zone",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]
ROOT_URLCONF = "dashboard.urls"
WSGI_APPLICATION = "dashboard.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "dashboard.context.viewer",
            ],
        },
    },
]

LOGIN_URL = "sign_in"
LOGIN_REDIRECT_URL = "/runs/"
LOGOUT_REDIRECT_URL = "sign_in"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]

LANGUAGE_CODE = "en"
USE_I18N = False
TIME_ZONE = "UTC"
USE_TZ = True

# --- Static files ----------------------------------------------------------------------------------------------------

STATIC_URL = "/static/"
STATIC_ROOT = DATA_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
_STATIC_STORAGE = (
    "django.contrib.staticfiles.storage.StaticFilesStorage" if DEBUG else "dashboard.static_files.StaticFiles"
)
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": _STATIC_STORAGE},
}

# --- Logs ------------------------------------------------------------------------------------------------------------

LOG_LEVEL = env.str("LOG_LEVEL", default="INFO").upper()
LOG_FORMAT = keys.one_of("LOG_FORMAT", env.str("LOG_FORMAT", default="line"), "line", "json")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {"()": "dashboard.logs.LineFormatter", "format": "%(asctime)s %(levelname)s %(name)s %(message)s"},
        "json": {"()": "dashboard.logs.JsonLineFormatter"},
    },
    "handlers": {"stdout": {"class": "logging.StreamHandler", "stream": "ext://sys.stdout", "formatter": LOG_FORMAT}},
    "root": {"handlers": ["stdout"], "level": LOG_LEVEL},
    "loggers": {
        "django": {"handlers": [], "level": "NOTSET", "propagate": True},
        "django.server": {"handlers": [], "level": "NOTSET", "propagate": True},
        # These write statements with their values and addresses with their queries: signed links, tokens.
        "django.db.backends": {"level": "INFO"},
        # Writes everything a template could see, the form token of the page included, where a name is missing.
        "django.template": {"level": "INFO"},
        "urllib3": {"level": "ERROR"},
    },
}
