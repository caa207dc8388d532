# The only entry points of this repository. Each prints one summary line last.
#
#   make dev      build and run the gateway with demo users and a simulated model
#   make test     everything that needs only Go and redis-server
#   make e2e      real Keycloak, Claude Code, both SDKs, Chromium
#   make attack   the security cases against the real binary
#   make exact    quota races, crashes and faults   [TRIALS=20]
#   make fuzz     every fuzz target                 [FUZZTIME=60s]
#   make bench    side by side with plain Caddy     [ONLY=proxy]
#   make image    container image as an OCI layout
#   make lint     format, vet, staticcheck, import rules, Caddyfiles
#   make lint-full  golangci-lint with .golangci.yml
#   make xcaddy   the build that users make

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := test

CADDY_VERSION := $(shell sed -n 's,^\tgithub.com/caddyserver/caddy/v2 ,,p' go.mod)
MODULE := github.com/openova-io/llm-gateway
TRIALS ?= 20
FUZZTIME ?= 60s
ONLY ?= proxy
# The race detector needs a C compiler; without one the tests run without it.
RACE := $(if $(shell command -v $${CC:-gcc}),-race)
TOOL := go tool -modfile=tools/go.mod

.PHONY: help dev test e2e attack exact fuzz bench image lint lint-full xcaddy build

help:
	@sed -n "s,^#   ,,p" Makefile

dev:
	go run ./cmd/caddy llm-gateway dev

build:
	go build -trimpath -o bin/caddy ./cmd/caddy
	@echo "build: bin/caddy"

test:
	test/need redis-server
	@start=$$SECONDS; go test $(RACE) -shuffle=on -timeout 20m ./...; \
	echo "test: ok in $$((SECONDS - start)) s$(if $(RACE),, (without the race detector: no C compiler))"

e2e: build
	test/need redis-server java node npm mvn unzip curl chromium
	@start=$$SECONDS; go test -tags e2e -count=1 -v -timeout 40m ./test/e2e/...; \
	echo "e2e: ok in $$((SECONDS - start)) s"

attack: build
	test/need redis-server python3 node
	@mkdir -p out; go test -tags attack -count=1 -timeout 10m ./test/attack/... -v | tee out/attack.log | grep -v '^=== ' | tail -n 400; \
	sed -n 's/.*\(attack: [0-9]* of [0-9]* got through.*\)/\1/p' out/attack.log | tail -n 1

exact: build
	test/need redis-server
	@mkdir -p out; TRIALS=$(TRIALS) go test -tags exact -count=1 -timeout 40m ./test/exact/... -v | tee out/exact.log | grep -v '^=== '; \
	sed -n 's/.*\(exact: [0-9]* of [0-9]* exact.*\)/\1/p' out/exact.log | tail -n 1

fuzz:
	test/fuzz $(FUZZTIME)

bench: build
	test/need redis-server
	test/bench/run $(ONLY)

image:
	test/image

lint:
	test/lint

lint-full:
	$(TOOL) golangci-lint run ./...
	@echo "lint-full: ok"

xcaddy:
	@mkdir -p bin; start=$$SECONDS; \
	GOWORK=off go tool xcaddy build $(CADDY_VERSION) --output bin/caddy-xcaddy --with $(MODULE)@v0.0.0=.; \
	bin/caddy-xcaddy list-modules | grep -E 'llm_' ; \
	INTERNAL_LLM_URL=http://127.0.0.1:8101/v1 QUOTA_REDIS_URL=redis://127.0.0.1:6379 KEYCLOAK_URL=http://127.0.0.1:8180/realms/ai-hub \
	bin/caddy-xcaddy validate --config Caddyfile.example --adapter caddyfile; \
	echo "xcaddy: bin/caddy-xcaddy built and validated in $$((SECONDS - start)) s"
