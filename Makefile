# Needs Python 3.11 or newer with its venv module, and make. Everything else is installed into .venv.

PYTHON ?= python3
OPTIONS ?=
WORKERS ?= 4
SEEDS ?= 1..10

STAMP := .venv/.installed
BIN := .venv/bin
RUNS := build/scenarios
CODE := carillon console scheduler worker tests

.DEFAULT_GOAL := help
.PHONY: help install demo test check lint bench chaos simulate requirements clean

help: ## list what can be made
	@awk 'BEGIN {FS = ":.*## "} /^[a-z]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' Makefile
	@echo
	@echo "  PYTHON=python3.12 names another Python; OPTIONS=... are handed to pytest, the demo or the bench;"
	@echo "  WORKERS=... is how many tests run at once."

install: $(STAMP) ## make .venv with everything pinned; .venv/bin/carillon is the command

demo: $(STAMP) ## send real broadcasts to four imitated platforms and watch; about a minute
	@$(BIN)/carillon demo $(OPTIONS)

test: $(STAMP) ## run all tests but benchmarks and the long fault tests
	$(BIN)/pytest -n $(WORKERS) --maxschedchunk 1 $(OPTIONS)

check: lint test ## what has to pass: format, lint, types, import contracts, tests

lint: $(STAMP) ## format, lint, types and import contracts alone
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/ruff check $(CODE)
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

bench: $(STAMP) ## measure speed, memory and idle cost beside bare Dramatiq and httpx
	PYTHONPATH=tests $(BIN)/python -m benchmarks $(OPTIONS)

# The scenarios are timed, so they run alone; exit 5 of pytest: OPTIONS chose none of these tests.
chaos: WORKERS := 3
chaos: $(STAMP) ## run all fault tests, then six scenarios against the clock, and print how they went; an hour or so
	@rm -rf $(RUNS); failed=0; \
	$(BIN)/pytest -m "chaos or not chaos" -n $(WORKERS) --maxschedchunk 1 \
		--ignore tests/chaos/test_scenarios.py tests/chaos $(OPTIONS) || [ $$? -eq 5 ] || failed=1; \
	$(BIN)/pytest -m chaos -n $(WORKERS) --maxschedchunk 1 \
		--ignore tests/chaos tests $(OPTIONS) || [ $$? -eq 5 ] || failed=1; \
	$(BIN)/pytest -m "chaos or not chaos" tests/chaos/test_scenarios.py $(OPTIONS) || [ $$? -eq 5 ] || failed=1; \
	PYTHONPATH=tests $(BIN)/python -m chaos.scenarios_table $(RUNS); exit $$failed

simulate: $(STAMP) ## simulate weeks on a virtual clock, a line for each seed; SEEDS=1..200 or SEEDS="7 9"
	@PYTHONPATH=tests $(BIN)/python -m chaos.simulation $(SEEDS)

# uv is taken from the PATH, or from a throw-away environment.
requirements: ## renew requirements.txt, the pins of pyproject.toml with their hashes
	@set -e; uv=$$(command -v uv) || { \
		folder=$$(mktemp -d); trap 'rm -rf "$$folder"' EXIT; \
		$(PYTHON) -m venv "$$folder"; "$$folder/bin/pip" install --quiet uv; uv="$$folder/bin/uv"; }; \
	"$$uv" pip compile pyproject.toml --extra test --generate-hashes --universal --upgrade --python-version 3.11 \
		--no-header --no-emit-index-url --quiet --output-file requirements.txt

clean: ## remove .venv and what tools left behind; the ledger in .carillon stays
	rm -rf .venv build dist htmlcov .coverage .coverage.* .hypothesis
	rm -rf .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find $(CODE) -name __pycache__ -type d -prune -exec rm -rf {} +

$(STAMP): requirements.txt pyproject.toml
	@command -v $(PYTHON) >/dev/null || { \
		echo "Carillon needs Python 3.11 or newer, and there is no $(PYTHON) here: install it, or name one with PYTHON=..." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Carillon needs Python 3.11 or newer, and $(PYTHON) is older: name another one with PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "Carillon needs Python's venv module, which $(PYTHON) lacks: on Debian and Ubuntu install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(STAMP)
