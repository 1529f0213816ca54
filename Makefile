# Everything sets itself up: nothing but Python 3.11 or newer, with its venv module, has to be there.
# Variables: PYTHON (interpreter to build .venv with), ARGS (more arguments for pytest or the demo), JOBS (tests in
# parallel; empty: one after the other), BENCHMARKS (which claims), SECONDS (of fuzzing, for each target), OUTAGE_S (how
# long make soak takes the API server away).

VENV := .venv
BIN := $(VENV)/bin
PYTHON ?=
ARGS ?=
JOBS ?=
SECONDS ?= 120
OUTAGE_S ?= 60
# What drives whole processes; the rest are the unit tests, which `make matrix` runs under every interpreter.
SYSTEM_TESTS := apiserver cluster wire demo e2e runtime faults oracle annotations
PYTEST_ARGS = $(if $(JOBS),--numprocesses $(JOBS)) $(ARGS)
BENCHMARKS ?= $(filter-out chart,$(basename $(notdir $(wildcard benchmarks/[a-z]*.py))))
UNIT := tests $(addprefix --ignore=tests/,$(SYSTEM_TESTS))

.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
.PHONY: help test lint types unit matrix fuzz soak bench bench-long bench-claims bench-tools demo tools format docs clean run-venv test-venv

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: run-venv ## serve sample manifests on loopback and print curl lines to try
	@$(BIN)/ingressd demo $(ARGS)

test: lint types ## all checks: linter, formatting, types, every test
	$(BIN)/python -m pytest $(PYTEST_ARGS)

lint: test-venv ## ruff check and ruff format --check
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: test-venv ## mypy, strict
	$(BIN)/mypy

unit: test-venv ## the tests that start no processes of ours (ARGS="-k name" picks)
	$(BIN)/python -m pytest $(UNIT) $(PYTEST_ARGS)

matrix: ## the unit tests under every newer CPython found (3.12, 3.13, 3.14; PATH and pyenv)
	@scripts/matrix $(UNIT) $(PYTEST_ARGS)

fuzz: test-venv ## fuzz the readers of untrusted bytes, 10 minutes (SECONDS=5; ARGS="head path" picks)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --group fuzz
	@$(BIN)/python -m tests.fuzz --seconds $(SECONDS) $(ARGS)

soak: test-venv ## faults of every kind while the API server is gone for a minute: 3 minutes (OUTAGE_S=600)
	OUTAGE_S=$(OUTAGE_S) $(BIN)/python -m pytest -s -o faulthandler_timeout=$$(($(OUTAGE_S) + 300)) \
		tests/faults/test_outage.py $(PYTEST_ARGS)

bench: run-venv bench-tools ## beside nginx, HAProxy, Envoy, Caddy: 3 minutes (ARGS="--only log"; ARGS=--help)
	$(BIN)/python -m benchmarks.peers --quick $(ARGS)

bench-long: run-venv bench-tools ## the same, everything, hours (ARGS="--rounds 5 --seconds 2" for less)
	$(BIN)/python -m benchmarks.peers --long $(ARGS)

bench-tools: # as root on Debian it installs them; else it says what is missing, and the rest is measured
	@scripts/bench-tools --yes || true

bench-claims: run-venv ## print the figures behind our other claims (BENCHMARKS=match picks)
	@for name in $(BENCHMARKS); do echo "== $$name"; $(BIN)/python -m benchmarks.$$name || exit 1; done

format: test-venv ## let ruff rewrite what lint would complain about
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: run-venv ## write docs/annotations.md anew from the registry
	$(BIN)/python -m tests.routing.annotations

tools: ## install the system tools that tests drive (Debian, as root)
	@scripts/system-packages --yes

clean: ## remove virtual environments, caches and build results
	rm -rf .venv .venv-* .cache .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

run-venv:
	@scripts/venv $(VENV) $(PYTHON)

test-venv:
	@scripts/venv --test $(VENV) $(PYTHON)
