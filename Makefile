# `make demo` runs the main job on real images, `make test` runs every check, `make test-lowest` a short
# part of the tests with the lowest versions that the package accepts.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
PIP = $(BIN)/python -m pip install --quiet --quiet --constraint constraints.txt
JOBS ?= 2
LOWEST = .venv-lowest
LOWEST_TESTS = tests/utils tests/neighbors tests/aggregation tests/features tests/classifiers \
	tests/metrics/test_exact_test.py tests/inversion/test_inverter_spaces.py tests/release/test_whole_run.py

# several small processes beat torch's own threads on few cores
CHECKS = OMP_NUM_THREADS=1 MPLBACKEND=agg

.PHONY: demo test lint types unit docs test-lowest imports clean

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

# old versions among new ones warn of what the new ones deprecate
test-lowest: $(LOWEST)/.installed
	$(CHECKS) $(LOWEST)/bin/python -m pytest -q -W ignore::DeprecationWarning $(LOWEST_TESTS)

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

$(LOWEST)/.installed: pyproject.toml constraints.txt scripts/lowest_versions.py
	$(PYTHON) -m venv $(LOWEST)
	$(PYTHON) scripts/lowest_versions.py test > $(LOWEST)/constraints.txt
	$(LOWEST)/bin/python -m pip install --quiet --quiet --constraint $(LOWEST)/constraints.txt \
		--editable . pytest hypothesis pandas pydicom
	touch $@
