PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: run test test-slow gpu scores bench docs lint clean

run: $(VENV)/.installed  ## score every installed method on the embedded dataset, write uqbench-results/README.md
	$(BIN)/python -m uqbench run

test: $(VENV)/.installed-dev  ## the tests that CI runs
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --maxprocesses 8 --dist loadfile

test-slow: $(VENV)/.installed-dev  ## the tests that take minutes
	$(BIN)/python -m pytest -m slow

gpu: $(VENV)/.installed-dev  ## the tests that need a CUDA device, then the suite on it
	$(BIN)/python -m pytest -m gpu
	$(BIN)/python -m uqbench run --suite gpu

scores: $(VENV)/.installed-dev  ## score four methods anew and compare with the committed records
	$(BIN)/python -m uqbench ci --suite smoke --base leaderboard/records --scores-only --out results/smoke

bench: $(VENV)/.installed-dev  ## time the hot paths beside their peers, into results/benchmarks.json
	mkdir -p results
	$(BIN)/python -m pytest tests/benchmarks -o addopts= -m "not slow and not gpu" --benchmark-only --benchmark-json=results/benchmarks.json

docs: $(VENV)/.installed-dev  ## build the documentation site into build/site
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

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
	$(BIN)/python -m pip install --disable-pip-version-check -q -c constraints.txt -e '.[snap,mace,docs,dev]'
	touch $@ $(VENV)/.installed

clean:
	rm -rf $(VENV) build *.egg-info
