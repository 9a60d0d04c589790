# What people and CI run; `make` alone lists it.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

# Passed on through the environment, so that any file name survives.
export IMAGE ?= examples/street.png

# What `make pack` finds in DATA: crops to train on, scenes to cut backgrounds from (such in which every word is marked,
# which those of SVT are not), and word lists to render.
REAL = $(patsubst %/labels.tsv,%,$(wildcard $(DATA)/words/train/*/labels.tsv))
SCENES = $(wildcard $(DATA)/scenes/train/ic03/scenes.jsonl $(DATA)/scenes/train/ic15/scenes.jsonl)
LISTS = $(wildcard $(DATA)/corpora/*.tsv $(DATA)/corpora/*.txt)
RUN := runs/tiny
FLAGS = $(if $(REAL),--data.real=$(call list,$(REAL))) $(if $(LISTS),--data.words=$(call list,$(LISTS))) \
    $(if $(SCENES),--data.backgrounds=$(RUN)/backgrounds) $(TRAIN_FLAGS)
PACK ?= src/wordsight/packs/tiny
TRAIN_FLAGS ?=
empty :=
comma := ,
list = '[$(subst $(empty) $(empty),$(comma),$(strip $(1)))]'

MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.PHONY: help read test lint pack clean

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

## make pack [DATA=folder]  train the default model anew and export it; DATA holds words/, scenes/ and corpora/
pack: $(VENV)/.dev
ifneq ($(SCENES),)
	$(BIN)/wordsight synth-backgrounds $(SCENES) --out $(RUN)/backgrounds
endif
	$(BIN)/wordsight train recipes/tiny.yaml $(FLAGS)
	$(BIN)/wordsight train recipes/tiny.yaml --config recipes/tiny-anneal.yaml --ckpt_path $(RUN)/last.ckpt $(FLAGS)
	$(BIN)/wordsight export $(RUN)/model --out $(PACK)

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
