# The one command surface. Every target first makes .state/venv what the lock says; that takes a blink when it is.
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
PYTHON ?= python3
ARGS ?=
bin := .state/venv/bin
hocba := $(bin)/python -m services

.PHONY: help setup demo test check unit fuzz contract integration charts e2e faults up down status logs surge bench-nation protos fmt lock clean

help: ## This list
	@echo "make TARGET [ARGS=...]      budgets are for 2 cores, after the first run has fetched what the machine lacks"
	@awk -F ':.*## ' '/^[a-z][a-z0-9-]*:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## 10 s once   the environment in .state/venv, from requirements-dev.lock
	@$(PYTHON) services/stack/bootstrap.py

demo: setup ## 3 min       one school year's end, from marks to archived PDFs; ARGS="--pupils 800 --keep --json"
	@$(hocba) demo $(ARGS)

test: setup ## 25 min      every suite below, with a line per suite at the end; ARGS=-x stops at the first failure
	@$(bin)/python -m tests.support.programs
	@$(bin)/python -m tests.suites all $(ARGS)

check: setup ## 15 s        formatting, lint, types, imports between the rooms
	@$(bin)/python -m tests.suites check

unit: setup ## 15 s        rules and use cases, no I/O
	@$(bin)/python -m tests.suites unit $(ARGS)

fuzz: setup ## 1 min       attacks on signed documents; what reads foreign bytes, a few seconds each; SECONDS=600 for so long altogether, ARGS="records notes" these
	@if [ -n "$(SECONDS)" ]; then $(bin)/python -m tests.fuzz $(SECONDS) $(ARGS); else $(bin)/python -m tests.suites fuzz $(ARGS); fi

contract: setup ## 30 s        messages against examples and against the last release
	@$(bin)/python -m tests.suites contract $(ARGS)

integration: setup ## 5 min       one part at a time against a real PostgreSQL and Kafka
	@$(bin)/python -m tests.support.programs
	@$(bin)/python -m tests.suites integration $(ARGS)

charts: setup ## 4 min       the Helm chart, docker compose's steps, the load tests and a short surge
	@$(bin)/python -m tests.suites charts $(ARGS)

e2e: setup ## 5 min       all six services, as the demo runs them
	@$(bin)/python -m tests.suites e2e $(ARGS)

faults: setup ## 10 min      kill -9, duplicates, poison, a broker that goes away
	@$(bin)/python -m tests.suites faults $(ARGS)

up: setup ## 15 s        PostgreSQL, Kafka, six services and two signing workers in the background
	@$(hocba) stack up $(ARGS)

down: setup ## 5 s         stop them; data stays
	@$(hocba) stack down $(ARGS)

status: setup ## what runs, where, since when; ARGS=--json
	@$(hocba) stack status $(ARGS)

logs: setup ## follow the logs; ARGS="grading" for one
	@$(hocba) stack logs $(ARGS)

surge: setup ## 5 min       a term-end load against the local stack, with an HTML report
	@$(bin)/python -m loadtests.surge $(ARGS)

bench-nation: setup ## the read side with 10 thousand, a million and 18 million pupils; 1.1 GB of disk a million; ARGS=--json
	@$(hocba) bench reporting --nation $(ARGS)

protos: setup ## 10 s        regenerate the contracts' code and AsyncAPI
	@$(bin)/python protos/generate.py && $(bin)/python protos/asyncapi.py

fmt: setup ## 2 s         format and sort imports
	@$(bin)/ruff check --quiet --select I --fix . && $(bin)/ruff format .

lock: setup ## 10 s        refresh the locks from pyproject.toml; ARGS=--upgrade takes newer versions
	@$(bin)/python -m services.stack.lock $(ARGS)

clean: ## stop the stack and remove .state: environment, downloads, databases, keys, logs
	@if [ -x $(bin)/python ]; then for place in stack demo; do HOCBA_STATE=.state/$$place $(hocba) stack down --wipe; done; fi
	@rm -rf .state
