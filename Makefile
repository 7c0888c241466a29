# `make` without a target lists the targets. TARGET and CONFIGFILE are read by `make status`.
PYTHON ?= python3.11
CORES ?= all
TARGET ?= all
BIN := .venv/bin
FAST := not slow and not workflow and not slurm
# Modules of tests side by side, a long one first.
PYTEST := $(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadscope --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help environment demo readme status test test-fast test-workflow test-slurm test-real \
	check benchmarks comments lock

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

environment: .venv/installed  ## make .venv and install the locked versions (6 GB)

.venv/installed: envs/requirements.lock
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --requirement envs/requirements.lock
	touch $@

demo: environment  ## run the pipeline and print its gains (3 to 6 minutes on two cores)
	$(BIN)/snakemake --cores $(CORES) --quiet rules --configfile config/demo.yaml -- demo
	@$(BIN)/python workflow/scripts/show.py results/demo/tables/table1_runs.csv

readme: demo  ## run the demo and its repetitions, and write both into the README (25 minutes)
	$(BIN)/snakemake --cores $(CORES) --quiet rules --configfile config/repetitions.yaml -- repetitions
	$(BIN)/python workflow/scripts/readme.py

status:  ## report what is done, running, failed or stale, and why
	@$(or $(wildcard $(BIN)/python),python3) workflow/scripts/status.py $(if $(CONFIGFILE),--configfile $(CONFIGFILE)) -- $(TARGET)

test: environment  ## run all tests but test-real
	$(PYTEST)

test-fast: environment  ## run the unit tests (a minute)
	$(PYTEST) -m "$(FAST)"

test-workflow: environment  ## run the tests that start Snakemake or train a model
	$(PYTEST) -m "not ($(FAST)) and not slurm and not real"

test-slurm: environment  ## run the tests on a SLURM of their own (needs slurm-wlm, munge)
	$(BIN)/python -m pytest -m slurm

test-real: environment  ## run the workflow on the real architectures, random weights (12 minutes)
	$(BIN)/python -m pytest -m real

check: environment  ## check style: ruff, snakefmt, snakemake --lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/snakemake --lint

benchmarks: environment  ## time this project's ways against others, on an idle machine (10 minutes)
	$(BIN)/python benchmarks/results.py

comments: environment  ## write the configuration's comments from the schemas
	$(BIN)/python workflow/schemas/comments.py

lock: environment  ## install envs/{requirements,checks}.txt and write all versions to the lock
	$(BIN)/python -m pip install --quiet --requirement envs/requirements.txt \
		--requirement envs/checks.txt
	$(BIN)/python envs/lock.py
