# `make demo` and `make test` are all that a newcomer needs; each sets up what it uses.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: demo test unit lint format bench packages clean help

help:
	@echo "make demo    the bridge on an emulated OneDrive and SharePoint, with lines to paste"
	@echo "make test    everything: lint, types, layers, all tests, real clients"
	@echo "make unit    the fast tests only"
	@echo "make lint    ruff, mypy, import-linter"
	@echo "make bench   the bridge beside rclone and stock WsgiDAV, as ratios"
	@echo "             BENCH=mirror: a drive of a million items; BENCH=line: over a line with latency;"
	@echo "             BENCH=day: a film and a backup, with faults at Microsoft's side;"
	@echo "             BENCH=many: 64 transfers of 1 GiB at a time"

demo: $(STAMP)
	@$(BIN)/davbridge demo

test: $(STAMP) packages lint
	$(BIN)/python -m pytest -n 2 --dist worksteal --junitxml=build/tests.xml

unit: $(STAMP)
	$(BIN)/python -m pytest -q tests/unit

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(STAMP)
	$(BIN)/python -m bench $(BENCH)

packages:
	@sh scripts/debian-packages.sh

$(STAMP): pyproject.toml scripts/make-venv.sh
	@sh scripts/make-venv.sh $(PYTHON) $(VENV)
	@touch $@

clean:
	rm -rf $(VENV) build .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
