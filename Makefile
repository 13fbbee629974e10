# make demo: both approaches end to end on this machine's CPU, with tiny models.
# make test: everything, with a private Slurm cluster (as root on Debian or Ubuntu).

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
DEMO_MODELS ?= models
export HF_HUB_OFFLINE = 1

.PHONY: demo test install packages lint unit slurm bench encoder-bench docs clean

demo: $(VENV)/.installed
	$(BIN)/iacfilter-submit --approach encoder --dry-run --models-dir $(DEMO_MODELS)
	$(BIN)/iacfilter-submit --approach generative --dry-run --models-dir $(DEMO_MODELS)
	$(BIN)/iacfilter-status --models-dir $(DEMO_MODELS)

test: packages lint unit slurm

install: $(VENV)/.installed

# The two slow parts of the suite are apart so that a failure shows early.
unit: $(VENV)/.installed
	$(BIN)/python -m pytest -m "not slurm" --durations=10

slurm: $(VENV)/.installed packages
	$(BIN)/python -m pytest -m slurm --durations=10

lint: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/cog --check README.md

docs: $(VENV)/.installed
	$(BIN)/cog -r README.md

bench: $(VENV)/.installed
	$(BIN)/python -m tests.bench.commands

# What the tests on Slurm and in a browser need. No compiler: on CPU the one operator that DeepSpeed
# would build is switched off
packages:
	tests/slurm/install_packages.sh

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt torch
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[train,dev]'
	touch $@

clean:
	rm -rf $(VENV) dist build
