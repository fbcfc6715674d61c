# `make` lists the targets. Needs GNU make, a POSIX sh and Python 3.11 or newer; the rest is installed into .venv.

PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
ARGS ?=

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:  # two pips in one environment would get into each other's way
.PHONY: help train test lint types bench examples docs clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-9s %s\n", $$1, $$2 }' Makefile
	@echo 'The first run makes $(VENV); make PYTHON=/path/to/python ... names the interpreter for it.'

train: $(VENV)/.has-examples  ## train on handwritten digits and show the result; ARGS="--epochs 5" passes flags on
	@$(PY) examples/digits.py $(ARGS)

test: lint types  ## lint, types, tests; ARGS="-k softmax" passes flags on to pytest
	@$(PY) -m pytest -n auto --maxprocesses 4 $(ARGS)

lint: $(VENV)/.has-dev  ## ruff: rules and format
	@$(PY) -m ruff check
	@$(PY) -m ruff format --check

types: $(VENV)/.has-dev  ## mypy, strict
	@$(PY) -m mypy

bench: $(VENV)/.has-bench  ## measure against PyTorch and JAX, and write benchmarks/RESULTS.md
	@$(PY) -m benchmarks $(ARGS)

examples: $(VENV)/.has-examples  ## run every example
	@for example in examples/*.py; do echo "== $$example"; $(PY) "$$example" || exit 1; done

docs: $(VENV)/.has-docs  ## build the documentation: build/site/index.html; ARGS="-D nb_execution_mode=off" leaves the notebooks unrun
	@$(PY) -m sphinx -q -W --keep-going -c docs $(ARGS) . build/site
	@echo "build/site/index.html"

clean:  ## remove .venv, builds and caches
	rm -rf $(VENV) build dist docs/reference/operations .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Output that goes to a file or a pipe has no colour codes, whatever the environment asks for.
ifndef MAKE_TERMOUT
export NO_COLOR := 1
unexport CLICOLOR_FORCE FORCE_COLOR MYPY_FORCE_COLOR PY_COLORS
endif

# What would let an environment see libraries other than its own.
unexport PYTHONHOME PYTHONPATH
export PIP_USER := 0

# The environment. .made holds the folder it was made for (an environment that was moved still points to the old one), .busy the
# process that is changing it, .has-EXTRA says that an extra is installed. One that is half made, was moved, or whose Python
# no longer starts is made again.
healthy := $(shell { test ! -e $(VENV)/.busy && test "`cat $(VENV)/.made`" = "`pwd -P`" && $(PY) -c 'print("yes")'; } 2>/dev/null)
ifneq ($(healthy),yes)
.PHONY: $(VENV)/.made
endif

stop := stop() { echo "minigrad: $$*" >&2; exit 1; }; trap 'exit 130' HUP INT TERM

$(VENV)/.made:
	@$(stop); \
	busy=`cat $(VENV)/.busy 2>/dev/null` && test "$$busy" != $$$$ && kill -0 "$$busy" 2>/dev/null && \
	    stop "process $$busy is setting up $(VENV): wait for it and run make again (if that is some other process: make clean)"; \
	command -v "$(PYTHON)" >/dev/null || \
	    stop "there is no $(PYTHON) on the PATH: install Python 3.11 or newer, or name one with make PYTHON=/path/to/python"; \
	version=`"$(PYTHON)" -c 'import sys; print("%d.%d" % sys.version_info[:2])'` || \
	    stop "$(PYTHON) does not start: mend it, or name another Python with make PYTHON=/path/to/python"; \
	case $$version in 3.1[1-9]|3.[2-9][0-9]|[4-9].*) ;; *) \
	    stop "$(PYTHON) is Python $$version, but 3.11 or newer is needed: install one, or name one with make PYTHON=/path/to/python";; \
	esac; \
	"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || \
	    stop "$(PYTHON) lacks the venv or the ensurepip module: install it (Debian, Ubuntu: apt install python3-venv)"; \
	echo "minigrad: making $(VENV) with Python $$version"; \
	rm -rf $(VENV) && mkdir $(VENV) && echo $$$$ >$(VENV)/.busy || stop "cannot write $(VENV) in `pwd`: mend its permissions"; \
	"$(PYTHON)" -m venv $(VENV) || \
	    stop "$(PYTHON) could not make $(VENV): see above (Debian, Ubuntu: apt install python$$version-venv)"; \
	pwd -P >$@ && rm $(VENV)/.busy

$(VENV)/.has-%: pyproject.toml $(VENV)/.made
	@$(stop); \
	echo "minigrad: installing minigrad[$*] into $(VENV); this may take some minutes the first time"; \
	echo $$$$ >$(VENV)/.busy; \
	$(PY) -m pip install --quiet --no-input --disable-pip-version-check --editable '.[$*]'; status=$$?; \
	test $$status -gt 128 || rm -f $(VENV)/.busy; \
	test $$status -eq 0 || stop "pip could not install minigrad[$*]: is there a network? mend what it says above and run make again"; \
	touch $@
