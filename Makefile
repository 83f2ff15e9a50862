# Almanac. `make demo` shows the main job, `make test` runs everything; the rest is for daily work.
.DEFAULT_GOAL := help
SHELL := /bin/sh
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.almanac-installed

# A repository to sync (an address or a path; empty is this one), and what to ask: QUERY="a" or QUERY="a||b".
REPO ?=
QUERY ?=
# WAIT=1: the demo searches when all of it is indexed, and not what is after a minute.
WAIT ?=
DOCUMENT_BENCHES := reading analysis documents realtime

PYTHON_NAMES := python3 python3.13 python3.12 python3.14 python3.11
FIND_PYTHON := for name in $(PYTHON_NAMES); do \
	$$name -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' 2>/dev/null \
	&& { command -v $$name; exit 0; }; done; exit 1

.PHONY: help install demo up down test check format lint types template units end-to-end bench bench-search bench-documents openapi build sizes deploy pins clean

help: ## List the commands
	@grep -E '^[a-z-]+:.*## ' Makefile | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

install: $(INSTALLED) ## Prepare everything that the other commands need

$(INSTALLED): pyproject.toml layers/constraints.txt
	@python="$$($(FIND_PYTHON))" || { \
		echo "Almanac needs Python 3.11 to 3.14 with venv (tried: $(PYTHON_NAMES))." >&2; \
		echo "Install one (Debian and Ubuntu: apt install python3 python3-venv), then try again." >&2; exit 1; }; \
	echo "preparing $(VENV) with $$python"; \
	"$$python" infra/local/environments.py $(VENV) --constraint layers/constraints.txt --project .
	@touch $(INSTALLED)

demo: install ## Start the local stack, sync a repository, search it (REPO=, QUERY="a||b", WAIT=1: all of it)
	@$(BIN)/almanac demo $(if $(REPO),--repo "$(REPO)") $(if $(QUERY),--query "$(QUERY)") $(if $(WAIT),--wait)

up: install ## Start the local stack
	@$(BIN)/almanac up

down: ## Stop the local stack and save its data
	@if [ -x $(BIN)/almanac ]; then $(BIN)/almanac down; else echo "It did not run."; fi

test: check ## Install what is needed and run all checks and tests

check: lint types template units end-to-end ## What CI runs

lint: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: install
	$(BIN)/mypy

template: install
	$(BIN)/cfn-lint template.yaml
	$(BIN)/python -m infra.sam validate --lint

units: install
	$(BIN)/pytest tests/unit tests/integration tests/architecture

end-to-end: install
	$(BIN)/pytest tests/e2e

format: install ## Format the code
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

bench: install ## Run the benchmarks
	$(BIN)/python -m bench

bench-search: install ## Measure search beside its peers (an hour, most of it the first time; QUICK=1: a small corpus alone)
	$(BIN)/python -m bench $(if $(QUICK),--quick search,search peers words quality embedding cost)

bench-documents: install ## Measure reading, documents and real time (QUICK=1: a glance)
	$(BIN)/python -m bench $(if $(QUICK),--quick) $(DOCUMENT_BENCHES)

openapi: install ## Write the merged OpenAPI document again
	$(BIN)/python -m infra.openapi

build: install ## Build for AWS (the template's default runtime and architecture)
	$(BIN)/python -m infra.sam build

sizes: install ## Print what every function weighs with its layers
	$(BIN)/python -m infra.package_sizes

deploy: build ## Deploy to AWS with the credentials at hand (ARGS="--guided")
	$(BIN)/python -m infra.sam deploy $(ARGS)

pins: install ## Resolve every pinned version again
	$(BIN)/python -m infra.pins

clean: down ## Stop the stack and remove everything that was installed, built or saved
	rm -rf $(VENV) .local .aws-sam .mypy_cache .pytest_cache .ruff_cache .hypothesis
