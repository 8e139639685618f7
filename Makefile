# make demo   the whole story on real molecules, a few minutes
# make test   every test
# make test-triton  the CUDA kernels in Triton's interpreter; no GPU is needed, but 1 GB for Triton
# make test-matrix  Python 3.11 to 3.13 with the newest and the oldest packages, half an hour
# make docs   the documentation as a site, in site/
# make pins   choose anew what the targets above install (constraints/); make audit looks for known holes in it
# make check  what CI runs: format, lint, types, layers, tests
# Each target creates .venv and installs by itself; only Python 3.11 to 3.13, pip, make and gcc
# are needed. `make test PYTHON=python3.12` takes another Python.

SUITS := import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do \
	$$p -c '$(SUITS)' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
# What is imported is compiled then, and that is kept; pip would compile all 22,000 files, for a minute.
export PYTHONDONTWRITEBYTECODE :=
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --no-compile
# Only what is pinned, and only with the hash that is pinned; nothing is built.
PINNED := $(PIP) --require-hashes --no-deps --only-binary :all: $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX))
HAS_TORCH := import sys, importlib.util as u; sys.exit(u.find_spec("torch") is None)
WANTS_CUDA := import sys, importlib.metadata as m; sys.exit(any(r.startswith("nvidia") for r in m.requires("torch")))

.PHONY: install demo test test-triton test-matrix pins audit check check-fast docs clean

install: $(INSTALLED)

$(INSTALLED): pyproject.toml constraints/cpu.txt constraints/cuda.txt constraints/triton.txt constraints/torch-cpu.txt
	@test -n "$(PYTHON)" || { echo "Python 3.11, 3.12 or 3.13 is needed; none is on the PATH."; exit 1; }
	@echo "Installing into $(VENV), a few minutes the first time ..."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -c '$(HAS_TORCH)' || $(PINNED) -r constraints/torch-cpu.txt 2>/dev/null || \
		echo "No CPU build of torch is at hand: PyPI's is taken, for Linux 3 GB with CUDA."
	@$(PINNED) -r constraints/cpu.txt
	@$(BIN)/python -c '$(WANTS_CUDA)' || $(PINNED) -r constraints/cuda.txt -r constraints/triton.txt
	@$(PIP) --no-deps --no-build-isolation -e .
	@$(BIN)/python -m pip check
	@touch $(INSTALLED)

demo: $(INSTALLED)
	@$(BIN)/atomlens demo --out demo

test: $(INSTALLED)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto

test-triton: $(VENV)/.triton
	OMP_NUM_THREADS=1 TRITON_INTERPRET=1 $(BIN)/python -m pytest tests/unit/models/test_triton_kernels.py

$(VENV)/.triton: $(INSTALLED)
	@$(PINNED) -r constraints/triton.txt
	@touch $@

test-matrix:
	@scripts/matrix

pins:
	@scripts/pin

audit:
	@scripts/pin --audit

check: $(INSTALLED)
	scripts/check

check-fast: $(INSTALLED)
	scripts/check --fast

docs: $(INSTALLED)
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

clean:
	rm -rf $(VENV) .matrix demo build dist site .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
