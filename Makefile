# What people and CI run; `make` alone lists it.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

# Passed to commands through the environment, so that any file name survives.
export IMAGE ?= examples/street.png
export DATA ?=
RUN ?= runs/tiny
PACK ?= src/wordsight/packs/tiny

MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.PHONY: help read test lint pack clean
.DELETE_ON_ERROR:

help:
	@sed -n 's/^## //p' Makefile

## make read [IMAGE=path]   read the words in a photo
read: $(VENV)/.base
	@$(BIN)/wordsight read -- "$$IMAGE"

## make test                install everything, check style and types, run the quick tests
test: lint
	$(BIN)/python -m pytest

## make lint                check style and types
lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

## make clean               remove what make made (not what was trained)
clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis

# The package is installed editable: only a change of its dependencies needs another installation.
$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("wordsight needs Python 3.11 or later: give one with make PYTHON=...")'
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.base: pyproject.toml constraints.txt | $(VENV)/.made
	@echo 'Installing wordsight in $(VENV), once ...' >&2
	@$(PIP) -e .
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(VENV)/.made
	@echo 'Installing wordsight with what training and tests need in $(VENV), once ...' >&2
	@$(PIP) -e '.[train,dev]'
	@touch $(VENV)/.base $@
