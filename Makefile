# Two commands: `make demo` runs the default pipeline and prints Table 1, `make test` the tests.
# `make status` says what is done, stale, running or failed: of TARGET, with CONFIGFILE over the
# default configuration.
PYTHON ?= python3.11
CORES ?= all
TARGET ?= all
BIN := .venv/bin

.PHONY: demo status test check environment

environment: .venv/installed

.venv/installed: envs/requirements.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --requirement envs/requirements.txt
	touch $@

demo: environment
	$(BIN)/snakemake --cores $(CORES) --quiet rules -- results/tables/table1.csv
	@$(BIN)/python workflow/scripts/show.py results/tables/table1.md
	@$(BIN)/python workflow/scripts/timings.py results/benchmarks

status: environment
	@$(BIN)/python workflow/scripts/status.py $(if $(CONFIGFILE),--configfile $(CONFIGFILE)) -- $(TARGET)

test: environment
	$(BIN)/python -m pytest

check: environment
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow/rules
	$(BIN)/snakemake --lint
