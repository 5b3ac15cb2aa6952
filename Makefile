# Splitstream: everything a developer does, from a fresh Debian 12 with Swift 6 to a running server.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.DEFAULT_GOAL := help
.NOTPARALLEL:

# One file of each Debian package that we build with or run.
NEEDS := \
  /usr/include/postgresql/libpq-fe.h=libpq-dev \
  /usr/include/hiredis/hiredis.h=libhiredis-dev \
  /usr/include/sodium.h=libsodium-dev \
  /usr/include/openssl/ssl.h=libssl-dev \
  /usr/include/zlib.h=zlib1g-dev \
  /usr/bin/pkg-config=pkg-config \
  /usr/bin/openssl=openssl \
  /usr/bin/curl=curl \
  /usr/lib/postgresql/*/bin/postgres=postgresql \
  /usr/bin/redis-server=redis-server
MISSING = $(foreach need,$(NEEDS),\
  $(if $(wildcard $(firstword $(subst =, ,$(need)))),,$(lastword $(subst =, ,$(need)))))

SERVER := .build/release/splitstream-server

.PHONY: help run build test contract fuzz sanitize differential bench-http bench-assign bench-events \
  bench-analysis bench-connections bench-audience lint format verify packages chaos clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-17s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: build ## Build a release and serve on 127.0.0.1:8000; options: make run ARGS="--port 8001"
	@exec $(SERVER) dev $(ARGS)

build: packages ## Build the release, .build/release/splitstream-server
	@swift build --configuration release --static-swift-stdlib --product splitstream-server

test: packages ## Run the tests against stores of their own; some: make test FILTER=Configuration
	@export SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH=$$((2 * $$(nproc)))
	mkdir -p .build
	swift test --disable-xctest $(if $(FILTER),--filter "$(FILTER)") 2>&1 | tee .build/test.log || {
	  echo "What failed (all of it: .build/test.log):"
	  grep --text -e '✘' -e 'error:' .build/test.log || tail -n 20 .build/test.log
	  exit 1
	}

fuzz: ## Fuzz the parsers, each for a minute; longer: make fuzz SECONDS=600
	@Tests/Fuzz/run $(or $(SECONDS),60)

sanitize: packages ## Run the tests under address and under thread sanitizer; some: FILTER=HTTP
	@Tests/Sanitize/run address "$(FILTER)"
	@Tests/Sanitize/run thread "$(FILTER)"

differential: build ## Compare how our server and nginx frame tricky requests
	@python3 Tests/Differential/framing.py

bench-http: build ## CPU time per GET /v1/healthz against nginx
	@python3 Tests/Benchmarks/bench_http.py

bench-assign: build ## What POST /v1/assign costs, beside nginx and beside PostgreSQL alone
	@python3 Tests/Benchmarks/bench_assign.py $(ARGS)

bench-events: build ## Events end to end against a bare COPY, acceptance against redis-benchmark, latency, backlog
	@python3 Tests/Benchmarks/bench_events.py $(ARGS)

bench-analysis: build ## Snapshots beside DuckDB, many experiments, a year of history, the mathematics beside scipy
	@python3 -m venv .build/bench-analysis
	.build/bench-analysis/bin/pip install --quiet --disable-pip-version-check duckdb scipy
	.build/bench-analysis/bin/python Tests/Benchmarks/bench_analysis.py $(ARGS)

bench-events: NEEDS += /usr/bin/redis-benchmark=redis-tools /usr/bin/python3=python3 \
  /usr/bin/psql=postgresql-client

bench-analysis: NEEDS += /usr/bin/psql=postgresql-client

# Inherited by `packages`, which they all need.
differential bench-http bench-assign: NEEDS += \
  /usr/sbin/nginx=nginx-light /usr/bin/wrk=wrk /usr/bin/python3=python3
bench-http bench-assign: NEEDS += /usr/bin/cc=gcc

contract: build ## Try what openapi.json promises with schemathesis and a generated Python client
	@Tests/Contract/run

bench-audience: packages ## Measure how fast audiences are evaluated, in a release build
	@SPLITSTREAM_BENCHMARKS=1 swift test --configuration release -Xswiftc -enable-testing \
	  --disable-xctest --filter AudienceBenchmark

lint: ## Check the format of the sources
	@swift format lint --strict --parallel --recursive Sources Tests Package.swift

format: ## Put the sources into format
	@swift format --in-place --parallel --recursive Sources Tests Package.swift

verify: lint build test ## Everything CI runs; green before a push

bench-connections: build ## Measure what 10,000 idle connections cost in memory and time
	@python3 Tests/Benchmarks/bench_connections.py --server $(SERVER)

packages: ## Install the Debian packages that are missing, as root or with sudo
	@command -v swift >/dev/null || {
	  echo "Swift 6.2 or later is needed: https://www.swift.org/install/linux/" >&2
	  exit 1
	}
	missing=($(strip $(MISSING)))
	[ $${#missing[@]} -gt 0 ] || exit 0
	if [ "$$(id -u)" = 0 ]; then sudo=; elif command -v sudo >/dev/null; then sudo=sudo; else
	  echo "These packages are missing and this user may not install them. As root:" >&2
	  echo "  apt-get install $${missing[*]}" >&2
	  exit 1
	fi
	echo "Installing $${missing[*]}"
	$$sudo apt-get update --quiet=2
	$$sudo env DEBIAN_FRONTEND=noninteractive \
	  apt-get install --yes --quiet=2 --no-install-recommends "$${missing[@]}"

chaos: build ## Kill and pause servers and stores under load, and count: lost 0, doubled 0
	@python3 Tests/Chaos/run.py $(ARGS)

clean: ## Remove what was built; the data in .splitstream stays
	@rm -rf .build
