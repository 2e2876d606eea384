"""The settings of the tests: the real ones, under an environment that no shell and no `.env` file can change.

TEST_DATABASE_URL alone decides something here: the database, which is SQLite without it. Tests that start processes of
their own give them a SQLite of their own either way, unless they say otherwise.
"""

import atexit
import os
import shutil
import tempfile

from dashboard import keys

_data_dir = tempfile.mkdtemp(prefix="plimsoll-tests-")
atexit.register(shutil.rmtree, _data_dir, ignore_errors=True)

os.environ.update(
    ENV_FILE=os.devnull,
    DATA_DIR=_data_dir,
    DATABASE_URL=os.environ.get("TEST_DATABASE_URL") or f"sqlite:///{_data_dir}/plimsoll.sqlite3",
    CELERY_BROKER_URL="",
    SECRET_KEY=keys.secret_key(),
    CREDENTIAL_KEYS=keys.credential_key(),
    DEBUG="off",
    HTTPS="off",
    TRUST_PROXY="off",
    PORT="8000",
    ALLOWED_HOSTS="localhost,127.0.0.1,testserver",
    CSRF_TRUSTED_ORIGINS="",
    PROVIDER_HOSTS="127.0.0.1",
    AZURE_LOGIN_URL="",
    METRICS_TOKEN="",
    LOG_LEVEL="INFO",
    LOG_FORMAT="line",
)

from dashboard.settings import *  # noqa: E402, F403 (the environment above comes first)
from dashboard.settings import DATABASES, STATIC_ROOT, STORAGES  # noqa: E402

STATIC_ROOT.mkdir()  # WhiteNoise warns about a missing directory, and warnings are errors here
STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
DATABASES["default"]["CONN_MAX_AGE"] = 0
if not os.environ.get("TEST_DATABASE_URL"):
    # A file, as in production: threads that share a database in memory lock each other's tables without waiting.
    DATABASES["default"]["TEST"] = {"NAME": f"{_data_dir}/tests.sqlite3"}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # the real one takes half a second on purpose
