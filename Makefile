PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: run test test-slow gpu bench lint clean

run: $(VENV)/.installed  ## score every installed method on the embedded dataset, write uqbench-results/leaderboard.md
	$(BIN)/python -m uqbench run

test: $(VENV)/.installed-dev  ## the tests that CI runs
	$(BIN)/python -m pytest

test-slow: $(VENV)/.installed-dev  ## the tests that take minutes
	$(BIN)/python -m pytest -m slow

gpu: $(VENV)/.installed-dev  ## the tests that need a CUDA device
	$(BIN)/python -m pytest -m gpu

bench: $(VENV)/.installed-dev  ## time the hot paths beside their peers, into benchmarks.json
	$(BIN)/python -m pytest tests/benchmarks -o addopts= -m "not slow and not gpu" --benchmark-only --benchmark-json=benchmarks.json

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --disable-pip-version-check -q -c constraints.txt -e '.[snap]'
	touch $@

$(VENV)/.installed-dev: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --disable-pip-version-check -q -c constraints.txt -e '.[snap,mace,dev]'
	touch $@ $(VENV)/.installed

clean:
	rm -rf $(VENV) build *.egg-info
