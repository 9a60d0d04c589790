# What people and CI run; `make` alone lists the targets.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

# Passed on through the environment, so that any file name survives.
export IMAGE ?= examples/street.png

MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.PHONY: help read test lint docs clean

help:
	@sed -n 's/^## //p' Makefile

## make read [IMAGE=path]   read the words in a photo
read: $(VENV)/.base
	@$(BIN)/wordsight read -- "$$IMAGE"

## make test                install everything, check style and types, run the quick tests on all processors
test: lint
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile

## make lint                check style, types, spelling and phrases
lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell
	$(BIN)/python tools/style.py
	$(BIN)/mypy

## make docs                build the documentation in build/docs; warnings are errors
docs: $(VENV)/.dev
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs build/docs
	@echo 'build/docs/index.html is the documentation.'

## make clean               remove what make made
clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis

# The package is installed editable: only a change of its dependencies requires another installation.
$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("wordsight needs Python 3.11 or later: give one with make PYTHON=...")'
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.base: pyproject.toml constraints.txt | $(VENV)/.made
	@echo 'Installing wordsight in $(VENV), once ...' >&2
	@$(PIP) -e .
	@touch $@

$(VENV)/.dev: pyproject.toml research/pyproject.toml constraints.txt | $(VENV)/.made
	@echo 'Installing wordsight with what training and tests need in $(VENV), once ...' >&2
	@$(PIP) -e '.[train,serve,dev]' -e ./research
	@$(PIP) --no-deps ocrd==3.13.3  # for the schema of PAGE XML in it, which a test validates against
	@touch $(VENV)/.base $@
