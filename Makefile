# Two commands matter: `make demo` shows it, `make test` proves it. Each sets up what it needs first.
.DEFAULT_GOAL := help
.PHONY: help demo test check style types fast faults drills soak bench docs lock setup clean
SHELL := /bin/bash
PY := .venv/bin/python
PYTEST := $(PY) -m pytest -q
# The tests start hundreds of processes: each would compile the engine's thousand modules anew.
unexport PYTHONDONTWRITEBYTECODE

help: ## Show this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

setup: ## Make .venv and install the locked packages (instant when there is nothing to do)
	@scripts/setup

demo: setup ## Generate a dataset, run a backtest, verify it, print where the report is
	@scripts/demo

test: setup ## All tests, with seeded samples of the heavy ones
	@scripts/setup-tests
	TC_SAMPLE=1 $(PYTEST) -n 3 --dist loadgroup tests

check: setup ## Format, lint, types, architecture and the fast tests (under a minute)
	@$(MAKE) --no-print-directory -j 3 style types fast

style:
	$(PY) -m ruff format --check src tests benchmarks
	$(PY) -m ruff check src tests benchmarks

types:
	$(PY) -m mypy

fast:
	$(PYTEST) -n 2 --dist loadgroup tests/test_architecture.py tests/model tests/data tests/durable tests/evidence tests/cli tests/venue \
	  -m "not faults and not browser and not powercut and not variant and not slow"

faults: setup ## Every fault injection in full: syscall sweeps, power cuts, kills, races
	@scripts/setup-tests
	TC_FULL=1 $(PYTEST) -n 2 --dist loadgroup --timeout 3600 tests/durable tests/faults tests/powercut tests/processes \
	  tests/props tests/evidence tests/store tests/runs tests/venue tests/observe tests/alert tests/supervise tests/drills

drills: setup ## Every drill with its negative control, against real processes (an hour)
	@scripts/setup-tests
	$(PY) -m tc drill all
	$(PY) -m tc drill defects
	TC_FULL=1 $(PYTEST) -s tests/faults/test_cut_controls.py

soak: setup ## Half an hour of paper at 100x: memory, errors, proof (TC_SOAK_MINUTES)
	$(PY) benchmarks/soak.py

bench: setup ## Speed against plain NautilusTrader and plain formats, as ratios
	$(PY) benchmarks/run_all.py

docs: setup ## Renew the generated reference pages
	$(PY) -m tc spec schema > docs/runspec.schema.json
	$(PY) -m tc spec schema --markdown > docs/runspec.md
	$(PY) -m tc metrics families > docs/metric-families.md
	for board in $$($(PY) -m tc metrics boards); do $(PY) -m tc metrics boards $$board > dashboards/grafana/$$board.json; done
	cp src/tc/evidence/control_register.yaml docs/controls/register.yaml

lock: ## Renew requirements.lock from pyproject.toml (needs uv)
	uv pip compile --quiet --universal --python-version 3.12 --generate-hashes --no-emit-index-url --no-config --no-header \
	  --extra dev pyproject.toml -o requirements.lock

clean: ## Remove what was built, not what was recorded
	rm -rf .venv build .mypy_cache .ruff_cache .pytest_cache .hypothesis src/*.egg-info
