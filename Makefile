# Everything a reader, an author or CI does here. `make help` lists it; README.md tells how to do
# the same without make. Runs with GNU make 3.81 (macOS) and later.

SHELL := /bin/sh
.DEFAULT_GOAL := help

BIN := .venv/bin
PY := $(BIN)/python
STAMP := .venv/.installed
REPORTS := _build/reports
# Processes for tests, notebooks and the build: two kernels of one thread each use two cores best.
JOBS ?= 2
PORT ?= 8000
# Name a Python with `make book PYTHON=/path/to/python3.12`; else the first that is new enough.
PYTHON ?= python3 python3.13 python3.12 python3.11 python

# Sums are taken in one order everywhere: one thread in each process.
export OMP_NUM_THREADS := 1
export MKL_NUM_THREADS := 1
PYTEST := $(PY) -m pytest -q

.NOTPARALLEL:
.PHONY: help setup book serve test lint format test-package test-notebooks test-browser test-real \
	notebooks evidence bench clean

help: ## list these commands
	@echo "make COMMAND, where COMMAND is one of"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo "Set-up happens by itself, in .venv, and again only when pyproject.toml or constraints.txt change."

setup: $(STAMP) ## create .venv and install everything into it

$(STAMP): pyproject.toml constraints.txt
	@for python in $(PYTHON); do \
	  if "$$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	    echo "set-up with $$("$$python" --version): a few minutes and about 2.2 GB the first time"; \
	    "$$python" -m venv .venv || exit 1; \
	    $(PY) -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[book,test,real]' || { \
	      echo "set-up failed: pip could not install the packages (its message is above). On a slow or" \
	        "blocked connection name a mirror of PyPI: PIP_INDEX_URL=ADDRESS make setup" >&2; exit 1; }; \
	    touch $@; exit 0; \
	  fi; \
	done; \
	echo "chapter10 needs Python 3.11 or newer with its venv module, and found none as: $(PYTHON)." \
	  "Install one (python.org/downloads; on Debian or Ubuntu: apt install python3 python3-venv)" \
	  "or name one: make setup PYTHON=/path/to/python3.12" >&2; \
	exit 1

# A failed build forgets its doctrees: else the next one would skip the faulty page and succeed.
book: $(STAMP) ## build the HTML book into _build/html, with warnings as errors
	@$(PY) tools/notebooks.py --check >/dev/null || echo "note: some stored outputs are stale; 'make notebooks' renews them" >&2
	@$(PY) -c 'from chapter10.evidence import write_page; write_page()'
	$(BIN)/jupyter-book build . -W --keep-going -n || { rm -rf _build/.doctrees; exit 1; }

serve: book ## build the book and show it at http://127.0.0.1:8000 (PORT=…)
	$(PY) -m http.server $(PORT) --bind 127.0.0.1 --directory _build/html

test: lint test-package test-notebooks test-browser ## lint, package tests, every notebook, browser tests where Chromium is

lint: $(STAMP) ## check format, style and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: $(STAMP) ## put the code into its format, mend what ruff can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

test-package: $(STAMP) ## the tests of the package
	$(PYTEST) -n $(JOBS) -m "not real and not browser" --durations=20 \
	  --junitxml=$(REPORTS)/package.xml tests

test-notebooks: $(STAMP) ## run every notebook with nbval
	$(PYTEST) --nbval-lax --nbval-current-env --nbval-cell-timeout 300 -n $(JOBS) --dist loadscope \
	  --junitxml=$(REPORTS)/notebooks.xml book

# CHAPTER10_BROWSER=require makes a missing Chromium an error, as in .ci/run.
test-browser: $(STAMP) ## drive the built pages in Chromium, where there is one
	@if [ "$$CHAPTER10_BROWSER" = require ] || $(PY) tools/chromium.py; then \
	  $(MAKE) book && $(PYTEST) -m browser --junitxml=$(REPORTS)/browser.xml tests; \
	fi

test-real: $(STAMP) ## tests on real data (CHAPTER10_DATA names its folder) and real weights
	$(PYTEST) -m real --durations=10 --junitxml=$(REPORTS)/real.xml tests

notebooks: $(STAMP) ## execute the stale notebooks and store their outputs (ALL=1: every one)
	$(PY) tools/notebooks.py --jobs $(JOBS) $(if $(ALL),--all)

evidence: $(STAMP) ## repeat every claim over seeds, store the rows, write the evidence page
	$(PY) -m chapter10 evidence

bench: $(STAMP) ## measure speed beside the transformers library
	$(PY) -m chapter10 bench

clean: ## remove what the build and the tests wrote (.venv stays; delete it by hand)
	rm -rf _build build .pytest_cache .mypy_cache .ruff_cache .hypothesis chapter10.egg-info
	find . -name .venv -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +
