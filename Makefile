# make demo: both approaches end to end on this machine's CPU, with tiny models.
# make test: everything, with a private Slurm cluster (as root on Debian or Ubuntu).

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
DEMO_MODELS ?= models
export HF_HUB_OFFLINE = 1

.PHONY: demo test install packages lint unit slurm bench encoder-bench matrix chaos docs clean

demo: $(VENV)/.installed
	$(BIN)/iacfilter-submit --approach encoder --dry-run --models-dir $(DEMO_MODELS)
	$(BIN)/iacfilter-submit --approach generative --dry-run --models-dir $(DEMO_MODELS)
	$(BIN)/iacfilter-status --models-dir $(DEMO_MODELS)

test: packages lint unit slurm

install: $(VENV)/.installed

# The two slow parts of the suite are apart so that a failure shows early. A private cluster wants the
# machine to itself; the rest runs on several cores.
unit: $(VENV)/.installed
	$(BIN)/python -m pytest -m "not slurm" --durations=10 -n logical --maxprocesses=4 --dist worksteal

slurm: $(VENV)/.installed packages
	$(BIN)/python -m pytest -m slurm --durations=10

lint: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/cog --check README.md CONTRIBUTING.md

docs: $(VENV)/.installed
	$(BIN)/cog -r README.md CONTRIBUTING.md

bench: $(VENV)/.installed
	$(BIN)/python -m tests.bench.commands
	$(BIN)/python -m tests.bench.speed $(DATA) -o tests/bench/speed/speed.json

# Every way to stop a run, on private Slurm clusters: about 40 minutes; writes tests/cluster/MATRIX.md
matrix: $(VENV)/.installed packages
	$(BIN)/python -m tests.cluster.matrix $(CELLS)

# Fifty kills at random moments of one run: about half an hour
chaos: $(VENV)/.installed packages
	$(BIN)/python -m tests.cluster.chaos $(KILLS) $(SEED)

# The real-weights measurement: half an hour a seed for cross-fits. KEPT is a models directory
# that is kept, and whose runs are not trained again
encoder-bench: $(VENV)/.installed
	@test -n "$(DATA)" || { echo 'DATA=DIR is missing: see tests/bench/real_encoder.py' >&2; exit 2; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[bench]'
	$(BIN)/python -m tests.bench.real_encoder $(DATA) $(KEPT)

# What the tests on Slurm and in a browser need. No compiler: on CPU the one operator that DeepSpeed
# would build is switched off
packages:
	tests/cluster/install_packages.sh

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt torch
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[train,export,dev]'
	touch $@

clean:
	rm -rf $(VENV) dist build
