# What people and CI run; `make` alone lists the targets.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

# Passed on through the environment, so that any file name survives.
export IMAGE ?= examples/street.png

# What `make pack` finds in DATA: crops to train on, scenes to cut backgrounds from (only those with every word marked,
# so not SVT's), word lists to render, and test sets, which are only ever read at the end.
REAL = $(patsubst %/labels.tsv,%,$(wildcard $(DATA)/words/train/*/labels.tsv))
SCENES = $(wildcard $(DATA)/scenes/train/ic03/scenes.jsonl $(DATA)/scenes/train/ic15/scenes.jsonl)
LISTS = $(wildcard $(DATA)/corpora/*.tsv $(DATA)/corpora/*.txt)
TESTS = $(patsubst %/labels.tsv,%,$(wildcard $(DATA)/words/test/*/labels.tsv))
# Which shipped model to make, tiny (distilled from small) or small (which starts with the weights of tiny); its recipes
# (from scratch: RECIPE=recipes/tiny.yaml; on a GPU: RECIPE=recipes/tiny-gpu.yaml ANNEAL=recipes/gpu-anneal.yaml);
# folders for training and measurements and for the pack; and the number of crops measured per set.
MODEL ?= tiny
RECIPE ?= recipes/$(if $(filter small,$(MODEL)),tiny-deep,tiny-pruned).yaml
ANNEAL ?= $(RECIPE:.yaml=-anneal.yaml)
RUN ?= runs/$(MODEL)
PACK ?= src/wordsight/packs/$(MODEL)
MEASURED ?= 200
ANNEAL_FLAGS ?= $(TRAIN_FLAGS)
EXPORT_FLAGS ?= $(if $(filter small,$(MODEL)),--thorough)
FLAGS = --trainer.default_root_dir=$(RUN) $(if $(REAL),--data.real=$(call list,$(REAL))) \
    $(if $(LISTS),--data.words=$(call list,$(LISTS))) \
    $(if $(SCENES),--data.backgrounds=$(RUN)/backgrounds --data.pseudo=$(call list,$(RUN)/pseudo))
empty :=
comma := ,
list = '[$(subst $(empty) $(empty),$(comma),$(strip $(1)))]'

MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.PHONY: help read test lint docs pack clean

help:
	@sed -n 's/^## //p' Makefile

## make read [IMAGE=path]   read the words in a photo
read: $(VENV)/.base
	@$(BIN)/wordsight read -- "$$IMAGE"

## make test                install everything, check style and types, run the quick tests
test: lint
	$(BIN)/python -m pytest

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

## make pack [DATA=folder]  train a shipped model again, export and measure it; resumes if interrupted
pack: $(RUN)/card.md
	@echo "$(PACK) is done, $(RUN)/card.md says what was measured; to start over: rm -r $(RUN)"

# Each stage leaves a file when it is done. A killed training resumes from its last checkpoint.
$(RUN)/.backgrounds: | $(VENV)/.dev
	$(BIN)/wordsight synth-backgrounds $(SCENES) --out $(RUN)/backgrounds
	@touch $@

# Without the last tenth of the scenes, whose words training holds back.
$(RUN)/.pseudo: | $(VENV)/.dev
	$(BIN)/wordsight data pseudo-label $(SCENES) --out $(RUN)/pseudo --held-out 0.1
	@touch $@

$(RUN)/.stable: $(if $(SCENES),$(RUN)/.backgrounds $(RUN)/.pseudo) | $(VENV)/.dev
	$(BIN)/wordsight train $(RECIPE) $(FLAGS) $(TRAIN_FLAGS) \
	    $$(test ! -f $(RUN)/last.ckpt || echo --ckpt_path $(RUN)/last.ckpt)
	@touch $@

$(RUN)/.trained: $(RUN)/.stable
	$(BIN)/wordsight train $(RECIPE) --config $(ANNEAL) --ckpt_path $(RUN)/last.ckpt $(FLAGS) $(ANNEAL_FLAGS)
	@touch $@

$(RUN)/.exported: $(RUN)/.trained
	$(BIN)/wordsight export $(RUN)/model --out $(PACK) $(EXPORT_FLAGS)
	@touch $@

$(RUN)/.calibrated: $(RUN)/.exported
	$(if $(REAL),$(BIN)/wordsight calibrate $(PACK) $(REAL))
	@touch $@

$(RUN)/learning-curve.png: $(RUN)/.trained
	$(BIN)/python benchmarks/learning_curve.py $(RUN) --out $(@:.png=.new.png)
	@mv $(@:.png=.new.png) $@

$(RUN)/parity.json: $(RUN)/.exported
	$(BIN)/python benchmarks/parity.py $(RUN)/model --rendered $(MEASURED) --json $@.new
	@mv $@.new $@

$(RUN)/promises.json: $(RUN)/.calibrated
	$(BIN)/python benchmarks/promises.py $(PACK) --count $(MEASURED) $(if $(REAL),--words $(REAL)) \
	    $(if $(SCENES),--scenes $(patsubst %/scenes.jsonl,%,$(lastword $(SCENES)))) --json $@.new
	@mv $@.new $@

$(RUN)/scores.json: $(RUN)/.calibrated
	$(BIN)/wordsight eval $(PACK) $(TESTS) --json $@.new
	@mv $@.new $@

$(RUN)/reliability.png: $(RUN)/scores.json
	$(BIN)/python benchmarks/reliability.py $< --out $(@:.png=.new.png)
	@mv $(@:.png=.new.png) $@

$(RUN)/card.md: $(addprefix $(RUN)/,learning-curve.png parity.json promises.json $(if $(TESTS),reliability.png))
	$(BIN)/python benchmarks/card.py $(PACK) $(RUN)

## make clean               remove what make made (not what was trained)
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
