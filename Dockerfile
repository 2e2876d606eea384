# The same image is every process of Plimsoll: web server, Celery worker, beat, manage.py. compose.yaml says which.

FROM python:3.13-slim-trixie AS packages
COPY requirements.txt requirements-scale.txt /
RUN python -m venv /opt/plimsoll \
    && /opt/plimsoll/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r /requirements.txt \
    && /opt/plimsoll/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r /requirements-scale.txt \
    && /opt/plimsoll/bin/pip uninstall --yes pip

FROM python:3.13-slim-trixie
# For backup and restore; Debian keeps no old versions that a pin could name.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends postgresql-client \
    && rm -rf /var/lib/apt/lists/*
COPY --from=packages /opt/plimsoll /opt/plimsoll
ENV PATH=/opt/plimsoll/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 DATA_DIR=/plimsoll/data
WORKDIR /plimsoll
COPY manage.py ./
COPY dashboard dashboard
COPY runs runs
COPY templates templates
COPY static static
# The keys of this step are nobody's and stay nowhere: they only let the settings load.
RUN SECRET_KEY=none CREDENTIAL_KEYS=none DATABASE_URL=postgres:///none python manage.py collectstatic --no-input --verbosity 0 \
    && chmod -R a+rX data \
    && python -m compileall -q dashboard runs
# By number, so that an orchestrator can see that it is not root.
USER 10001:10001
EXPOSE 8000
CMD ["python", "-m", "granian", "--interface", "wsgi", "--host", "0.0.0.0", "--port", "8000", "--blocking-threads", "16", "--workers-kill-timeout", "5", "--log-level", "error", "--no-ws", "dashboard.wsgi:application"]
