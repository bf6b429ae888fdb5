# Everything happens in .venv, made once; `make PYTHON=/path/to/python3.12` picks another Python,
# `make PIP_ARGS="--extra-index-url URL"` passes options to pip (say, an index of CPU-only PyTorch).

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PIP_ARGS ?=
EXTRAS := dev
DEMO_ARGS ?= --threads 2
PYTEST_ARGS ?=
JOBS ?= 2
ROWS ?=
BENCHMARK_ARGS ?=
# `make model`: SMOKE=1 tries every step on tiny sizes, FOLD=k leaves the slices of a fold out, DATA is
# the folder of real data, OUT where all that is made lies.
SMOKE ?=
FOLD ?=
DATA ?= ../shared/data
WORKERS ?= 2
OUT ?= build/$(if $(SMOKE),smoke,model)
MODEL_ARGS ?=

# The first interpreter that is new enough; the pinned PyTorch has builds for 3.11 first of all.
CANDIDATES := python3.11 python3 python3.12 python3.13
IS_USABLE := -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))'
PYTHON ?= $(shell for python in $(CANDIDATES); do \
	$$python $(IS_USABLE) >/dev/null 2>&1 && echo $$python && break; done)

.DEFAULT_GOAL := help
.PHONY: help install tools demo test campaign mutations benchmark model check lint types format docs \
	wheel clean

help:  ## Show the targets
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 18

install: $(STAMP)  ## Make .venv with varcall and everything it needs

$(STAMP): pyproject.toml constraints.txt
	@if [ -z "$(PYTHON)" ]; then \
		echo "Python 3.11 or newer was not found: apt-get install python3 python3-venv" >&2; exit 1; fi
	@if ! $(PYTHON) -c 'import ensurepip' 2>/dev/null; then \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
			apt-get update -q && apt-get install -q -y --no-install-recommends \
				"$$($(PYTHON) -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')"; \
		else \
			echo "$(PYTHON) cannot make virtual environments: sudo apt-get install python3-venv" >&2; \
			exit 1; \
		fi; fi
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing varcall and what it needs into $(VENV) (a minute or two)"
	$(BIN)/python -m pip install -q --disable-pip-version-check $(PIP_ARGS) \
		-c constraints.txt -e '.[$(EXTRAS)]'
	@touch $(STAMP)

tools:  ## Make .tools with Snakemake, MultiQC and nf-core's tools, which some tests run
	@test -x .tools/bin/python || $(PYTHON) -m venv .tools
	.tools/bin/python -m pip install -q --disable-pip-version-check $(PIP_ARGS) -r tools.txt

demo: $(STAMP)  ## Simulate a small sample, call it, score it
	$(BIN)/varcall demo $(DEMO_ARGS)

test: $(STAMP)  ## Run the tests, JOBS=2 files at a time
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile $(PYTEST_ARGS)

campaign: $(STAMP)  ## Run the long fault campaigns: corruptions, kills, many contigs
	$(BIN)/python -m pytest -s -m campaign tests/faults

mutations: $(STAMP)  ## Take each guard of tests/faults out of a copy: does its test fail? (ten minutes)
	$(BIN)/python -m tests.faults.mutations $(ROWS)

benchmark: $(STAMP)  ## Measure the speed of each part; compare_callers and scaling take longer
	$(BIN)/python -m benchmarks.microbenchmarks $(BENCHMARK_ARGS)

model: $(STAMP)  ## Make the model from its recipe: hours; SMOKE=1 two minutes, FOLD=k for a fold
	$(BIN)/python -m varcall.make_model --recipe models/training/recipes/$(if $(SMOKE),smoke,tiny).toml \
		--data $(DATA) --out $(OUT) $(if $(FOLD),--fold $(FOLD)) --workers $(WORKERS) $(MODEL_ARGS)

lint: $(STAMP)  ## Check style
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)  ## Check types
	$(BIN)/mypy

check: lint types test  ## Style, types and tests: what CI runs

format: $(STAMP)  ## Rewrite the sources in the project's style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(STAMP)  ## Build docs/_build/html from docs/; a warning is an error
	$(BIN)/python -m sphinx -W --keep-going -q -E docs docs/_build/html

wheel: $(STAMP)  ## Build dist/*.whl with compiled kernels: three minutes
	rm -rf dist
	$(BIN)/python -m pip wheel -q --disable-pip-version-check --no-deps --no-build-isolation \
		-w dist .

clean:  ## Remove .venv and everything built
	rm -rf $(VENV) .tools build dist docs/_build .mypy_cache .pytest_cache .ruff_cache varcall-demo
