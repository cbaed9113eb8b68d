# One command per chore. `make run` and `make test` do all the set-up by themselves.
# DEVICE=cuda takes PyTorch's CUDA build and its own lock; TORCH_INDEX=<url> takes PyTorch from the package index that
# its install page names for your system (https://pytorch.org/get-started/locally).

DEVICE ?= cpu
PYTHON ?= python3.11
VENV   := .venv
BIN    := $(VENV)/bin
LOCK   := $(if $(filter cuda,$(DEVICE)),requirements-cuda.lock,requirements.lock)
READY  := $(VENV)/ready-$(DEVICE)

.DEFAULT_GOAL := help
.PHONY: help setup run test test-all test-faults lint format bench lock server

help:            ## this list
	@grep -hE '^[a-z-]+: .*##|^[a-z-]+: +##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/' | sort | expand -t 14

setup: $(READY)  ## virtual environment with the locked dependencies, and DVC

$(READY): $(LOCK) pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "error: $(PYTHON) is missing; install Python 3.11 or name it: make PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || { echo "error: $(PYTHON) is not Python 3.11"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "error: no venv module; on Debian: apt install python3.11-venv"; exit 1; }
	@echo "installing $(LOCK) into $(VENV) (a few minutes, once)"
	@$(if $(TORCH_INDEX),PIP_EXTRA_INDEX_URL=$(TORCH_INDEX)) $(BIN)/python -m pip install --quiet --disable-pip-version-check -r $(LOCK)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@rm -f $(VENV)/ready-* && touch $@

run: setup       ## preprocess, fine-tune, evaluate, report; only what has changed
	@$(BIN)/hone run

test: setup lint ## lint and the fast tests
	@$(BIN)/python -m pytest -n 2 -m "not slow and not faults"

test-all: setup lint  ## every test but the fault tests
	@$(BIN)/python -m pytest -n 2 -m "not faults"

test-faults: setup    ## kills runs at random moments and compares what they leave
	@$(BIN)/python -m pytest -m faults

lint: setup      ## ruff and mypy
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

format: setup    ## put the code into ruff's form
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: setup     ## hone against plain Trainers: speed, roof, memory, growth; 11 minutes, QUICK=1 three; OUTPUT=folder
	@$(BIN)/python -m benchmarks.speed $(if $(QUICK),--quick) $(if $(OUTPUT),--output $(OUTPUT)/speed.json)
	@$(if $(QUICK),,$(BIN)/python -m benchmarks.preprocess_growth $(if $(OUTPUT),--output $(OUTPUT)/around.json))

server: setup    ## a Prefect server on loopback, for schedules and the web page of runs
	@$(BIN)/hone server

lock: $(BIN)/uv  ## requirements*.lock and numerics.lock from pyproject.toml
	@sh scripts/lock.sh $(BIN)/uv

$(BIN)/uv: setup
