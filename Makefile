# Two commands do all the set-up: `make demo` and `make test`. Both install into .venv from requirements.lock.
PYTHON ?= python3.11
BIN := .venv/bin
STAMP := .venv/.installed

.DEFAULT_GOAL := help
.PHONY: help demo test servers servers-stop faults lint bench bench-peers screenshots lock lock-bench clean

help:  ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(STAMP): requirements.lock pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "installing into .venv from requirements.lock" >&2
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: $(STAMP)  ## the main job, live in your browser, until Ctrl-C
	@$(BIN)/pulsehub demo

test: $(STAMP)  ## every test this machine can run
	@$(BIN)/python -m pytest

servers: $(STAMP)  ## Kafka, PostgreSQL and Redis for the tests, on 127.0.0.1
	@$(BIN)/python -m tests.servers start

servers-stop: $(STAMP)  ## end just those
	@$(BIN)/python -m tests.servers stop

SEED ?= 7
faults: $(STAMP)  ## break a company in every way there is: hours (python -m tests.faults --help for less)
	@mkdir -p .servers
	@$(BIN)/python -m tests.faults --long --rate 2500 --seed $(SEED) --engine embedded --json .servers/faults-embedded.json; embedded=$$?; \
	$(BIN)/python -m tests.faults --long --rate 2500 --seed $(SEED) --engine large --json .servers/faults-large.json; large=$$?; \
	$(BIN)/python -m tests.faults.report .servers/faults-embedded.json .servers/faults-large.json; exit $$((embedded | large))

lint: $(STAMP)  ## ruff, mypy strict, import-linter
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: $(STAMP)  ## every bench, as a table (python -m bench NAME --json for one)
	@$(BIN)/python -m bench

bench-peers: $(STAMP)  ## ours beside other engines, on one Kafka and one PostgreSQL
	@$(BIN)/python -m bench peers

screenshots: $(STAMP)  ## every page at two widths and both themes into docs/images/
	@$(BIN)/python -m tests.web.screenshots

LOCKED := --generate-hashes --universal --no-header --no-annotate --python-version 3.11
lock:  ## resolve requirements.lock anew, and deploy/requirements.lock: of it what runs (needs uv)
	uv pip compile pyproject.toml --extra boosting --extra build --extra dev --extra otel $(LOCKED) -o requirements.lock --upgrade
	uv pip compile pyproject.toml --extra build --extra otel -c requirements.lock $(LOCKED) -o deploy/requirements.lock --upgrade

lock-bench:  ## resolve bench/requirements.txt anew: the peers, beside what requirements.lock holds (needs uv)
	@mkdir -p .bench
	sed -e '/^pydantic/d' -e 's/ *\\$$//' requirements.lock | grep -E '^[a-z].*==' > .bench/beside.txt  # Quix wants an older pydantic
	uv pip compile bench/requirements.in -c .bench/beside.txt --generate-hashes --universal --no-header --no-annotate --python-version 3.11 -o bench/requirements.txt --upgrade

clean:  ## remove .venv, caches and ./data
	rm -rf .venv .bench .pytest_cache .mypy_cache .ruff_cache .import_linter_cache data
