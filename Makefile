# make demo   the whole story on real molecules, a few minutes
# make test   every test
# make test-triton  the CUDA kernels in Triton's interpreter; no GPU is needed, but 1 GB for Triton
# make test-matrix  Python 3.11 to 3.13 with the newest and the oldest packages, half an hour
# make docs   the documentation as a site, in site/
# make check  what CI runs: format, lint, types, layers, tests
# Each target creates .venv and installs by itself; only Python 3.11 to 3.13, pip, make and gcc
# are needed. `make test PYTHON=python3.12` takes another Python.

SUITS := import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do \
	$$p -c '$(SUITS)' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.PHONY: install demo test test-triton check check-fast docs clean

install: $(INSTALLED)

$(INSTALLED): pyproject.toml constraints/cpu.txt
	@test -n "$(PYTHON)" || { echo "Python 3.11, 3.12 or 3.13 is needed; none is on the PATH."; exit 1; }
	@echo "Installing into $(VENV), a few minutes the first time ..."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --use-pep517 -c constraints/cpu.txt -e ".[dev]"
	@touch $(INSTALLED)

demo: $(INSTALLED)
	@$(BIN)/atomlens demo --out demo

test: $(INSTALLED)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto

test-triton: $(VENV)/.triton
	OMP_NUM_THREADS=1 TRITON_INTERPRET=1 $(BIN)/python -m pytest tests/unit/models/test_triton_kernels.py

$(VENV)/.triton: $(INSTALLED)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints/cpu.txt triton
	@touch $@

test-matrix:
	@scripts/matrix

check: $(INSTALLED)
	scripts/check

check-fast: $(INSTALLED)
	scripts/check --fast

docs: $(VENV)/.docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

$(VENV)/.docs: $(INSTALLED)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints/cpu.txt -e ".[docs]"
	@touch $@

clean:
	rm -rf $(VENV) .matrix demo build dist site .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
