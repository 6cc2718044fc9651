# `make app` and `make test` are the whole set-up: they build .venv from the pinned versions when it is missing or old.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

PYTHON ?= python3
BIN := .venv/bin

# files that say "done": the pinned versions are installed; the simulation is compiled
INSTALLED := .venv/installed
COMPILED := .venv/compiled

# what one asks for may lie in one of the two runs of pytest only; the other then has no tests, and says so with 5
UNLESS_NONE = $(if $(PYTEST_OPTIONS),|| [ $$? -eq 5 ])

.PHONY: help app test lint format priors proofs calibration season bench notebooks constraints clean .venv

help: ## this list
	@sed -nE 's/^([a-z.]+):.*## (.*)/  make \1\t\2/p' Makefile | expand -t 20

app: $(COMPILED) ## open the planner: prints an address for the browser
	$(BIN)/streamlit run app.py

test: lint $(COMPILED) ## everything that must hold: style, types, direction of imports, tests
	$(BIN)/pytest -m "not alone" -n 2 --dist loadfile --no-loadscope-reorder $(PYTEST_OPTIONS) $(UNLESS_NONE)
	$(BIN)/pytest -m alone $(PYTEST_OPTIONS) $(UNLESS_NONE)

lint: $(INSTALLED) ## style, types, direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(INSTALLED) ## put the code into shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

priors: $(COMPILED) ## are the priors credible? writes docs/priors.md
	$(BIN)/python benchmarks/priors.py

proofs: $(COMPILED) ## the long evidence about risk, rival schedules and retries
	$(BIN)/python benchmarks/proofs.py
	$(BIN)/python benchmarks/retries.py
	$(BIN)/pytest tests/oracle/test_kernel.py --oracle-times 10

calibration: $(COMPILED) ## is what is learnt right? writes the table of docs/learning.md
	$(BIN)/python -m benchmarks.calibration

season: $(COMPILED) ## does it pay to learn and plan again? writes docs/evidence.md
	$(BIN)/python -m benchmarks.season

bench: $(COMPILED) ## how fast, as ratios within one run
	$(BIN)/python benchmarks/speed.py
	$(BIN)/python benchmarks/logs.py

notebooks: $(COMPILED) ## run the notebooks again and keep what they print
	$(BIN)/jupyter execute --inplace notebooks/*.ipynb

constraints: $(INSTALLED) ## look up the newest versions that fit pyproject.toml, and pin them
	$(BIN)/uv pip compile pyproject.toml --output-file constraints.txt --upgrade --all-extras --generate-hashes \
		--universal --python-version 3.11 --fork-strategy fewest --no-emit-package warmup-planner \
		--no-header --no-annotate --no-emit-index-url --no-emit-find-links --quiet

clean: ## remove what make and the tools have made here
	rm -rf .venv build dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv: $(COMPILED)

$(INSTALLED): pyproject.toml constraints.txt
	@command -v $(PYTHON) > /dev/null || { \
		echo "Python is missing. On Debian: apt-get install python3 python3-venv. Then make again." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "$$($(PYTHON) --version) is too old: 3.11 or later is needed. If you have one: make PYTHON=python3.12 …" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2> /dev/null || { \
		echo "Python's venv module is missing. On Debian: apt-get install python3-venv. Then make again." >&2; exit 1; }
	@echo "Installing the pinned versions into .venv: a minute or two, once."
	$(PYTHON) -m venv --clear .venv
	@# without --compile: most modules are never imported, and the others are compiled when they are
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --require-hashes -r constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

# seconds spent now rather than in front of the first person who asks for a plan
$(COMPILED): $(INSTALLED) $(wildcard planner/simulation/*.py) planner/learning/likelihood.py
	$(BIN)/python -c 'import planner; planner.warm_up()'
	touch $@
