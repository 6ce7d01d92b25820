# layerwatch. `make demo` shows the whole job, `make test` runs every test this machine can run.
# Both make the virtual environment .venv by themselves, once; PYTHON=… chooses the Python it is made with.

VENV := .venv
BIN := $(VENV)/bin
PIP := PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_CONSTRAINT=constraints.txt PIP_BUILD_CONSTRAINT=constraints.txt $(BIN)/pip
PYTEST := $(BIN)/python -m pytest
TEST_PROCESSES := 3
PYTEST_ARGS :=

.DEFAULT_GOAL := help
.PHONY: help demo test check lint types imports docs-check docs picture bench fuzz parts clean

help:
	@sed -n 's/^## //p' Makefile

## make demo     the whole job on embedded parts, told step by step
demo: $(VENV)/product.stamp
	@$(BIN)/layerwatch demo

## make test     every test this machine can run; ends with the real parts it found, and those it missed
test: $(VENV)/dev.stamp
	$(PYTEST) -n $(TEST_PROCESSES) --dist loadscope --no-loadscope-reorder $(PYTEST_ARGS)

## make check    lint, types, import rules, documentation
check: lint types imports docs-check

lint: $(VENV)/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/dev.stamp
	$(BIN)/mypy

imports: $(VENV)/dev.stamp
	$(BIN)/lint-imports

docs-check: $(VENV)/dev.stamp
	$(BIN)/python -m tests.docs.check

## make docs     write the generated pages of docs/reference again
docs: $(VENV)/dev.stamp
	$(BIN)/python -m tests.docs.generate

## make picture  draw what the demo prints, docs/demo.svg
picture: $(VENV)/dev.stamp
	$(BIN)/python -m tests.docs.picture

## make bench    the benchmarks, as a table in docs/benchmarks.md
bench: $(VENV)/dev.stamp
	$(BIN)/python -m benchmarks

## make fuzz     the property tests with 100,000 examples each; hours
fuzz: $(VENV)/dev.stamp
	$(PYTEST) -n $(TEST_PROCESSES) -m hypothesis --hypothesis-profile=fuzz $(PYTEST_ARGS)

## make parts    install every real part the tests can use (Debian packages need root; Go builds the rest)
parts: $(VENV)/created.stamp
	$(BIN)/python -m tests.parts.install

## make clean    remove the virtual environment and everything that tools left here; the parts cache stays
clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/created.stamp: scripts/make-venv
	@scripts/make-venv $(VENV)
	@touch $@

$(VENV)/product.stamp: $(VENV)/created.stamp pyproject.toml constraints.txt
	@echo "layerwatch: installing it and its dependencies into $(VENV)" >&2
	@$(PIP) install --quiet --editable .
	@touch $@

$(VENV)/dev.stamp: $(VENV)/created.stamp pyproject.toml constraints.txt
	@echo "layerwatch: installing it and its development tools into $(VENV)" >&2
	@$(PIP) install --quiet --editable '.[watcher,registry,dev]'
	@touch $@ $(VENV)/product.stamp
