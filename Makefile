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
  /usr/lib/postgresql/*/bin/postgres=postgresql \
  /usr/bin/redis-server=redis-server
MISSING = $(foreach need,$(NEEDS),\
  $(if $(wildcard $(firstword $(subst =, ,$(need)))),,$(lastword $(subst =, ,$(need)))))

SERVER := .build/release/splitstream-server

.PHONY: help run build test bench-audience lint format verify packages clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: build ## Build a release and serve on 127.0.0.1:8000; options: make run ARGS="--port 8001"
	@exec $(SERVER) dev $(ARGS)

build: packages ## Build the release, .build/release/splitstream-server
	@swift build --configuration release --static-swift-stdlib --product splitstream-server

test: packages ## Run the tests against stores of their own; some: make test FILTER=Configuration
	@swift test --disable-xctest $(if $(FILTER),--filter "$(FILTER)")

bench-audience: packages ## Measure how fast audiences are evaluated, in a release build
	@SPLITSTREAM_BENCHMARKS=1 swift test --configuration release -Xswiftc -enable-testing \
	  --disable-xctest --filter AudienceBenchmark

lint: ## Check the format of the sources
	@swift format lint --strict --parallel --recursive Sources Tests Package.swift

format: ## Put the sources into format
	@swift format --in-place --parallel --recursive Sources Tests Package.swift

verify: lint build test ## Everything CI runs; green before a push

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

clean: ## Remove what was built; the data in .splitstream stays
	@rm -rf .build
