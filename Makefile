# PORT=8001 make demo        make test ARGS="tests/test_settings.py -x"        `make` alone lists them all

SHELL := /bin/bash
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
# How many processes share the tests.
WORKERS ?= 2
ARGS ?=

.PHONY: help demo run test test-postgres scale trust lighthouse lint format api-coverage requirements vendor
help:
	@echo "make demo          the dashboard over stand-in providers, with people to sign in as"
	@echo "make run           the dashboard for real accounts (then: manage.py create_admin)"
	@echo "make test          every test, browser tests included; ARGS=… goes to pytest"
	@echo "make test-postgres the same on a PostgreSQL of its own (apt-get install postgresql); ARGS=… goes to pytest"
	@echo "make scale         20,000 runs synced and compared with the sandbox's truth; takes many minutes"
	@echo "make trust         every provider, faults, kill -9, 500 presses, an hour's soak, restore: prints a table each; takes hours (ARGS=\"-k faults\")"
	@echo "make lighthouse    Lighthouse's scores of sign-in, run list and run page on a phone (needs npm)"
	@echo "make lint          what the code and the templates must look like; make format does most of it"
	@echo "make api-coverage  write docs/api-coverage.md anew from what the sandbox sees, and check that it is whole"
	@echo "make requirements  compile requirements*.in into the pinned requirements*.txt (UPGRADE=1 for newer versions)"
	@echo "make vendor        fetch static/vendor anew: Bootstrap, htmx, font and icons, as pinned in scripts/vendor.py (needs npm)"

demo: .venv/.installed-demo
	@exec $(BIN)/python manage.py demo

run: .venv/.installed
	@exec $(BIN)/python manage.py run

test: .venv/.installed-dev
	@chromium="$$(.ci/chromium)" && CHROMIUM="$$chromium" $(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup $(ARGS)

test-postgres: .venv/.installed-dev
	@$(BIN)/python -m tests.servers postgres -- $(MAKE) test

scale: .venv/.installed-dev
	$(BIN)/python -m pytest -m scale -n $(WORKERS) -rP $(ARGS)

trust: .venv/.installed-dev
	$(BIN)/python -m pytest -m trust -p no:randomly -rP tests/trust $(ARGS)

lighthouse: .venv/.installed-dev
	@chromium="$$(.ci/chromium)" && CHROMIUM="$$chromium" $(BIN)/python scripts/lighthouse.py

# Two steps: the tests of the calls write the document, then those of the document read it.
api-coverage: .venv/.installed-dev
	API_COVERAGE=write $(BIN)/python -m pytest -q -p no:randomly tests/test_api_coverage.py -k "not document"
	$(BIN)/python -m pytest -q tests/test_api_coverage.py -k document

lint: .venv/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/djlint --quiet --lint templates
	$(BIN)/hadolint Dockerfile
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.compose-spec compose.yaml

format: .venv/.installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --custom-compile-command "make requirements" $(if $(UPGRADE),--upgrade)
requirements: .venv/.installed-dev
	$(COMPILE) requirements.in -o requirements.txt
	$(COMPILE) requirements-scale.in -o requirements-scale.txt
	$(COMPILE) requirements-demo.in -o requirements-demo.txt
	$(COMPILE) requirements-dev.in -o requirements-dev.txt

vendor: .venv/bin/python
	$(BIN)/python scripts/vendor.py

# The stamps say that .venv holds exactly what the pinned files name.
.venv/.installed: requirements.txt | .venv/bin/python
	@echo "Installing what Plimsoll needs into .venv …"
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --require-hashes -r requirements.txt
	@touch $@

.venv/.installed-demo: requirements-demo.txt .venv/.installed
	@echo "Installing what the demo needs into .venv …"
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --require-hashes -r requirements-demo.txt && touch $@ \
		|| echo "It could not be installed; the demo does without real load." >&2

.venv/.installed-dev: requirements-dev.txt .venv/.installed
	@echo "Installing what working on Plimsoll needs into .venv …"
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@touch $@

.venv/bin/python:
	@if [ -z "$(PYTHON)" ]; then echo "Plimsoll needs Python 3.11 or newer, and found none. Install it, or name it: make PYTHON=/path/to/python3" >&2; exit 1; fi
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { echo "Plimsoll needs Python 3.11 or newer; $(PYTHON) is not." >&2; exit 1; }
	@$(PYTHON) -m venv .venv || { rm -rf .venv; echo "$(PYTHON) cannot make virtual environments. On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
