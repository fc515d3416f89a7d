.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PREFECT_SERVER_ANALYTICS_ENABLED := false
export DO_NOT_TRACK := 1
# Where it is set, each of a thousand processes compiles the whole program and its tests again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help install demo test unit torture bench outdated lint docs reference clean

help:  ## Show what can be asked of make
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

install: $(VENV)/.installed  ## Make .venv and install the pinned dependencies

$(VENV)/.installed: pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { \
	  echo "No venv module: apt-get install python3-venv" >&2; exit 2; }
	@echo "Installing into $(VENV) (once, a minute or two) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[test]'
	@touch $@

demo: install  ## Migrate a sample share into a local Box, interrupted and resumed
	@$(BIN)/boxhaul demo

test: install  ## Run the whole test suite
	@$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder

unit: install  ## Run the fast tests alone
	@$(BIN)/python -m pytest tests/unit

torture: install  ## Run the kill and fault matrices in full
	@$(BIN)/python -m pytest -n 2 -m torture tests

bench: install  ## Measure against peers and limits, for two hours (QUICK=1: a look, some minutes); files in build/benchmarks
	@$(BIN)/python -m tests.benchmarks $(if $(QUICK),--quick)

outdated: install  ## Print the dependencies that are behind
	@$(BIN)/python -m pip list --outdated --disable-pip-version-check

lint: install  ## Style, types, layers, reference, schema
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m deployments.reference --check
	@$(BIN)/python -m deployments.manual --check
	@folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && \
	  export BOXHAUL_STATE_URL="sqlite:///$$folder/state.db" && \
	  $(BIN)/python -m alembic upgrade head && $(BIN)/python -m alembic check

docs: install  ## Build the handbook as a site into site/
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[docs]'
	@$(BIN)/python -m deployments.handbook

reference: install  ## Write reference and manual page from commands and plan keys
	@$(BIN)/python -m deployments.reference
	@$(BIN)/python -m deployments.manual

clean:  ## Remove what was built and what the demo left
	rm -rf $(VENV) build dist site demo screenshots .pytest_cache .mypy_cache .ruff_cache
