# Two commands: `make demo` runs the main job on real images, `make test` runs every check.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
PIP = $(BIN)/python -m pip install --quiet --quiet --constraint constraints.txt
JOBS ?= 2

# several small processes beat torch's own threads on few cores
CHECKS = OMP_NUM_THREADS=1 MPLBACKEND=agg

.PHONY: demo test lint types unit docs imports clean

demo: $(VENV)/.installed
	$(CHECKS) $(BIN)/python examples/plot_quickstart.py

test: lint types unit docs

lint: $(VENV)/.installed-all
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed-all
	$(BIN)/mypy

unit: $(VENV)/.installed-all
	$(CHECKS) $(BIN)/python -m pytest -q -n $(JOBS)

docs: $(VENV)/.installed-all
	$(CHECKS) $(BIN)/python -m sphinx -W --keep-going -q docs docs/_build/html

imports:
	@$(PYTHON) tests/import_graph.py

clean:
	rm -rf docs/_build docs/auto_examples docs/api/generated docs/sg_execution_times.rst demo

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(VENV)/bin/python pyproject.toml constraints.txt
	$(PIP) --editable .
	touch $@

$(VENV)/.installed-all: $(VENV)/.installed
	$(PIP) --editable ".[test,docs,oracle]"
	touch $@
