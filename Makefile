# What a person types. Each target says what it does, and can be run again cheaply.
# Build output stays out of the repository, shared by all targets.
CARGO_TARGET_DIR ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/levada/target
export CARGO_TARGET_DIR

# Kill-and-compare rounds per pair of systems in `make torture`.
ROUNDS ?= 300
# Rows of 50 MB text that `make torture` takes through every system.
HUGE_ROWS ?= 30
# Seeds of the simulation in `make nightly`; a tenth as many with a PostgreSQL store.
SEEDS ?= 10000
# TPC-H scale factor (1 = six million rows) and repetitions in `make bench`.
SCALE ?= 1
RUNS ?= 3
# The same scale factor in `make bench-memory`.
MEMORY_SCALE ?= 5

# Where `make bench-lake` installs the Python packages that it compares with.
LAKE_PEERS ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/levada/bench-lake

# Where `make bench-peers` installs Airflow.
AIRFLOW ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/levada/airflow

.DEFAULT_GOAL := help
.PHONY: help demo test bench bench-memory bench-lake bench-peers torture nightly build ui lint fmt schemas screenshots clean-services

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## a seeded shop of a million rows into SQLite and Parquet, then a server that goes on with it (ARGS=--once: without)
	@scripts/demo $(ARGS)

test: ## format, lints and every test against real servers (installed and started as needed, stopped at the end)
	@scripts/test

bench: ui ## loads, runs and the API side by side with the usual tools, into bench/RESULTS.md (SCALE=1 RUNS=3)
	cargo build --release --locked -p levada -p levada-bench
	ulimit -S -n "$$(ulimit -H -n)"; scripts/services run "$(CARGO_TARGET_DIR)/release/levada-bench" \
	  --levada "$(CARGO_TARGET_DIR)/release/levada" --scale $(SCALE) --runs $(RUNS) --output bench/RESULTS.md

bench-memory: ui ## the memory that Levada's loads take at another size, into bench/RESULTS.md (MEMORY_SCALE=5: 40 GB of disk)
	cargo build --release --locked -p levada -p levada-bench
	scripts/services run "$(CARGO_TARGET_DIR)/release/levada-bench" --part memory \
	  --levada "$(CARGO_TARGET_DIR)/release/levada" --scale $(MEMORY_SCALE) --output bench/RESULTS.md

bench-lake: ui $(LAKE_PEERS)/requirements.txt ## Delta tables beside DataFusion, DuckDB and deltalake (from PyPI, in a cache), into bench/RESULTS.md (SCALE=1 RUNS=3)
	cargo build --release --locked -p levada -p levada-bench
	scripts/services run "$(CARGO_TARGET_DIR)/release/levada-bench" --part lake --python "$(LAKE_PEERS)" \
	  --levada "$(CARGO_TARGET_DIR)/release/levada" --scale $(SCALE) --runs $(RUNS) --output bench/RESULTS.md

$(LAKE_PEERS)/requirements.txt: bench/lake/requirements.txt
	python3 -m venv --clear "$(LAKE_PEERS)"
	"$(LAKE_PEERS)/bin/pip" install --quiet --requirement $<
	cp $< $@

bench-peers: ui $(AIRFLOW)/requirements.txt ## the same pipelines on Levada and Apache Airflow (from PyPI, in a cache), into bench/RESULTS.md (RUNS=3)
	cargo build --release --locked -p levada -p levada-bench
	scripts/services run "$(CARGO_TARGET_DIR)/release/levada-bench" --part peers --airflow "$(AIRFLOW)" \
	  --levada "$(CARGO_TARGET_DIR)/release/levada" --runs $(RUNS) --output bench/RESULTS.md

$(AIRFLOW)/requirements.txt: bench/airflow/requirements.txt
	python3 -m venv --clear "$(AIRFLOW)"
	"$(AIRFLOW)/bin/pip" install --quiet --requirement $<
	cp $< $@

torture: ## kill the binary at random moments, hundreds of times, and compare source and destination; then huge values (ROUNDS=300 HUGE_ROWS=30)
	LEVADA_KILL_ROUNDS=$(ROUNDS) scripts/services run cargo test --locked -p levada --test main kill -- --nocapture
	LEVADA_HUGE_ROWS=$(HUGE_ROWS) scripts/services run cargo test --locked -p levada --test main memory:: -- --nocapture

nightly: ## the simulated life of schedulers and workers under faults, 10,000 times (SEEDS=10000), a tenth of that on PostgreSQL
	LEVADA_SIM_SEEDS=$(SEEDS) scripts/services run cargo test --locked -p levada-engine --test main simulation -- --nocapture

build: ui ## the release binary, with the web UI if npm is there
	cargo build --release --locked -p levada
	@echo "built $(CARGO_TARGET_DIR)/release/levada"

ui: ## the web UI into ui/dist, if npm is there
	@scripts/ui

lint: ## formatting and clippy, warnings are errors
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings

fmt: ## format all code
	cargo fmt --all

schemas: ## the JSON schemas of the documents and the description of the API, into api/
	for name in project pipeline; do cargo run -q --locked -p levada -- schema $$name > api/$$name.schema.json || exit 1; done
	cargo run -q --locked -p levada -- schema openapi > api/openapi.json

screenshots: ui ## pictures of every page in both themes, into ui/e2e/output; those of the README into docs/images
	cargo build --locked -p levada -p levada-testkit --bin levada --bin shop
	LEVADA_BIN="$(CARGO_TARGET_DIR)/debug/levada" npm run --silent screenshots --prefix ui

clean-services: ## stop the test servers and remove their data
	scripts/services clean
