# handnet: `make study` and `make test` do all the set-up themselves. `make` alone lists what there is.
SHELL := /bin/bash
export HANDNET_DOOR := make
.DEFAULT_GOAL := help
VENV := .venv
quote = '$(subst $(newline),'$$'\n'',$(subst ','\'',$(1)))'
define newline


endef
# It is a name in rules and in the shell, where other signs would be several names, or commands.
ifneq ($(words $(VENV))$(filter -%,$(VENV))$(shell printf %s $(call quote,$(strip $(VENV))) | LC_ALL=C tr -d 'A-Za-z0-9._/+,@\200-\377-'),1)
$(error VENV must be one path of letters, digits and . _ - + , @ without blanks, but is "$(VENV)")
endif
PY := $(VENV)/bin/python
# `make setup DEVICE=gpu` takes the larger lock, once; afterwards every command keeps to it, through changes of the lock too:
# the mark of a finished set-up names the lock it came from.
GPU := $(or $(wildcard $(VENV)/.ready-gpu-*),$(and $(filter setup,$(MAKECMDGOALS)),$(filter gpu,$(DEVICE))))
LOCK := $(if $(GPU),requirements-gpu.lock,requirements.lock)
READY := $(VENV)/.ready-$(if $(GPU),gpu,cpu)-$(firstword $(shell cksum < $(LOCK)))
ifneq ($(and $(filter setup,$(MAKECMDGOALS)),$(filter-out auto cpu gpu,$(DEVICE))),)
$(error DEVICE must be one of auto, cpu, gpu, but is "$(DEVICE)"; for an NVIDIA GPU: make setup DEVICE=gpu)
endif

# Every variable typed after `make` goes on to the command, which knows its own and refuses the others by name.
typed = $(foreach v,$(filter-out PYTHON VENV,$(.VARIABLES)),$(if $(filter command line,$(origin $(v))),$(call quote,$(v)=$($(v)))))
# The chapter's two recipes and its case, unless another settings file is named.
export HANDNET_SETTINGS := experiments/study.toml
chapter = $(if $(filter command line,$(origin SETTINGS)),,SETTINGS=$(HANDNET_SETTINGS))

RESOLVE = $(PY) -m uv pip compile -q pyproject.toml --extra study --extra keras --group test --group check --universal \
	--python-version 3.11 --only-binary :all: --generate-hashes --no-emit-index-url --no-header

.PHONY: help setup try study case walk report bands compare gate predict check-seal ui witness claims published simulate test test-long bench torture check audit lock track backup clean

help: ## what there is (this list)
	@echo "handnet: the honest band around every number a small network prints"; echo
	@sed -n 's/^\([a-z-]*\):.*## /\1|/p' Makefile | while IFS='|' read -r name text; do printf '  make %-10s %s\n' "$$name" "$$text"; done
	@echo; echo "  Any setting can follow: make study TRIALS=64 DESIGN=sobol; all of them: make study HELP=1"

setup: $(READY) ## the virtual environment, from the lock (DEVICE=gpu: with CUDA); study and test do it too

try: $(READY) ## a study in seconds: 3 configurations, 2 seeds, test sealed
	@$(PY) -m handnet try $(chapter) $(typed)

study: $(READY) ## the whole study: search, confirm, open the test, report; again: go on, or show the report
	@$(PY) -m handnet study $(chapter) $(typed)

case: $(READY) ## one case: make case ID=203
	@$(PY) -m handnet case $(typed)

walk: $(READY) ## the network by hand with every number in view, then one patient through all its weights (ID=297)
	@$(PY) -m experiments.walk $(typed)

report: $(READY) ## compute the report anew from what is stored
	@$(PY) -m handnet report $(typed)

bands: $(READY) ## bands for results you already have: SOURCES=preds.csv, mlflow:EXPERIMENT or a study
	@$(PY) -m handnet bands $(typed)

compare: $(READY) ## models against each other, paired on split, seed and case: SOURCES=preds.csv
	@$(PY) -m handnet compare $(typed)

gate: $(READY) ## shown better, or not worse? SOURCES=preds.csv BASELINE=old CANDIDATE=new MARGIN=.01
	@$(PY) -m handnet gate $(typed)

predict: $(READY) ## what a study's winner says of new rows, with bands: ROWS=new.csv
	@$(PY) -m handnet predict $(typed)

check-seal: $(READY) ## could a model of yours see the sealed test? DATA=my.csv TARGET=y MODEL=call:mymodel.py:fit_predict
	@$(PY) -m handnet check-seal $(typed)

ui: $(READY) ## MLflow in the browser, on this machine only (PORT=5000)
	@$(PY) -m handnet ui $(typed)

witness: $(READY) ## the chapter's own Keras code over 30 seeds, against the network by hand (minutes)
	@$(PY) -m experiments.witness $(typed)

claims: $(READY) ## what the chapter says, each claim tried, with a verdict and its bands (minutes; DIVISIONS=100)
	@$(PY) -m experiments.claims $(typed)

published: $(READY) ## published results on their own protocols, four ways to divide, seed 42 among others (minutes; after make study)
	@$(PY) -m experiments.published $(typed)

simulate: $(READY) ## how often every band holds and every rule cries wolf, by simulation (minutes)
	@$(PY) -m handnet simulate $(typed)

test: $(READY) ## the tests that guard a change (minutes; TESTS=tests/test_splits.py)
	@$(PY) -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(TESTS)

test-long: $(READY) ## the long proofs: kills, full disks, every engine of Keras, every command of the docs
	@$(PY) -m pytest -n 2 --dist worksteal -m long $(TESTS)

bench: $(READY) ## what a network costs here, in Keras, scikit-learn and JAX, and every goal (ten minutes; ROUNDS=5)
	@$(PY) -m experiments.bench $(typed)

torture: $(READY) ## kill the real command line, KILLS=300 times, and compare (a quarter of an hour)
	@$(PY) tests/torture.py $(typed)

check: $(READY) ## style and types
	@$(PY) -m ruff check . && $(PY) -m ruff format --check . && $(PY) -m mypy

audit: $(READY) ## known vulnerabilities of what the lock pins; fails when it knows some, and when it could not ask
	@$(PY) -m pip_audit --strict --require-hashes --disable-pip --progress-spinner off -r $(LOCK)

lock: $(READY) ## resolve the dependencies anew into requirements.lock and requirements-gpu.lock
	@$(RESOLVE) --upgrade -o requirements.lock
	@$(RESOLVE) --group gpu --constraint requirements.lock -o requirements-gpu.lock

track: $(READY) ## the runs of a study in MLflow, made anew from what is stored (TO=http://... on a server)
	@$(PY) -m handnet track $(typed)

backup: $(READY) ## a copy of all studies, even while one is writing (TO=folder)
	@$(PY) -m handnet backup $(typed)

clean: $(READY) ## remove studies and reports; the ledger of openings stays
	@$(PY) -m handnet clean $(typed)

# What a virtual environment is made of; a folder that holds anything else is not removed to make one.
OF_VENV := '(bin|etc|include|lib|lib64|share|pyvenv\.cfg|\.ready-.*|\.gitignore|CACHEDIR\.TAG)'

# The mark's name holds the checksum of the lock, so the time of that file does not matter.
# The interpreter: PYTHON if given, else the newest of 3.13, 3.12, 3.11 that can make an environment.
$(READY): | $(LOCK)
	@set -e; \
	others=$$(ls -A $(VENV) 2>/dev/null | grep -vxE $(OF_VENV) | head -n 3 | paste -sd ' ') || true; \
	if [ -L $(VENV) -a ! -e $(VENV) ] || [ -e $(VENV) -a ! -d $(VENV) ] || [ -n "$$others" ] || \
	  [ -n "$$(ls -A $(VENV) 2>/dev/null)" -a ! -f $(VENV)/pyvenv.cfg ]; then \
	  echo "VENV=$(VENV) is no virtual environment$${others:+ (it holds $$others)}, and setting one up there would remove it;" \
	    "name a new or empty folder, or move it aside." >&2; exit 2; \
	fi; \
	for python in $(PYTHON) python3.13 python3.12 python3.11 python3 python; do \
	  if "$$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then found="$$python"; break; fi; \
	done; \
	if [ -z "$$found" ]; then echo "handnet needs Python 3.11, 3.12 or 3.13, and none is on the PATH; install one, or name it: make $(MAKECMDGOALS) PYTHON=/path/to/python3.12." >&2; exit 2; fi; \
	if ! "$$found" -c 'import ensurepip, venv' 2>/dev/null; then echo "handnet needs the venv module of $$found, which is missing; on Debian and Ubuntu: apt-get install $$(basename "$$found")-venv." >&2; exit 2; fi; \
	echo "Setting up $(VENV) with $$("$$found" --version); once, a minute or two." >&2; \
	rm -rf $(VENV); "$$found" -m venv $(VENV); \
	$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r $(LOCK); \
	$(PY) -c "from handnet.mlp.compiled import warm_up; warm_up()"; \
	touch $@
