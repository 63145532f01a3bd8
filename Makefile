# What a contributor runs. Each target prints what it does and stops at the first fault.
#
#   make test    every test of every module, with the race detector, in shuffled order, but for what test-all adds
#   make test-all   the same, and what needs a server whose build takes minutes
#   make demo    three processes elect a leader, lose it, elect another
#   make check   everything a change must pass besides its tests (see CONTRIBUTING.md)
#   make bench   every benchmark of every module
#   make campaign   a million schedules of faults
#   make chaos      elections of real processes on real stores, and everything is broken
#   make prove   worlds of two and three nodes, explored whole
#
# On a fresh Debian machine with Go and make, these install whatever else they need (.ci/setup).

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-print-directory

export GOWORK := $(CURDIR)/go.work
BIN := $(CURDIR)/bin

# How long the fuzz targets run, all of them together, in seconds.
FUZZ_SECONDS ?= 60
# Further flags for "make test" and "make bench", such as TEST_FLAGS=-v or BENCH=Step.
TEST_FLAGS ?=
# Build tags of the tests that "make test" leaves out, because they need a server whose build takes minutes.
SLOW_TAGS := apiserver,minio
TAGS ?=
BENCH ?= .
BENCH_FLAGS ?=

.PHONY: help setup test test-all demo bench campaign chaos prove check fmt tidy mod vet vet-cross staticcheck fuzz clean

help:
	@sed -n 's/^#   //p' Makefile

setup:
	@.ci/setup

test: setup
	@echo "== go test: every package of every module, -race, -shuffle=on"
	@test -n "$(TAGS)" || echo "== left out: lease/kubernetes against kube-apiserver and lease/s3 against MinIO, which take minutes to build: make test-all"
	@go test -race -shuffle=on -timeout 15m -tags '$(TAGS)' $(TEST_FLAGS) work
	@echo "== the digests of schedules, on one processor, on a 32-bit machine, and as WebAssembly under node"
	@GOMAXPROCS=1 go test -count=1 -run Digest ./simulate
	@GOARCH=386 CGO_ENABLED=0 go test -count=1 -run Digest ./simulate
	@command -v node >/dev/null || { echo "test: node is missing: run .ci/setup, or install Node.js 18 or later" >&2; exit 1; }
	@GOOS=wasip1 GOARCH=wasm CGO_ENABLED=0 go test -exec $(CURDIR)/.ci/wasi -count=1 -run Digest ./simulate

test-all:
	@.ci/setup all
	@$(MAKE) test TAGS=$(SLOW_TAGS)

demo:
	@go build -buildvcs=false -o $(BIN)/tenure ./cmd/tenure
	@$(BIN)/tenure demo

# Packages that hold no benchmark are left out, so that what is printed are figures. -p 1: nothing else runs meanwhile.
bench:
	@echo "== go test -bench: every package with a benchmark, one after another"
	@dirs=$$(grep -rl --include='*_test.go' '^func Benchmark' . | xargs -r -n1 dirname | sort -u); \
	test -n "$$dirs" || { echo "bench: no benchmark found" >&2; exit 1; }; \
	go test -p 1 -run '^$$' -bench '$(BENCH)' -benchmem -timeout 60m $(BENCH_FLAGS) $$dirs

# A million schedules of faults, and a quarter as many over a register, take about two minutes; "make prove" explores
# larger worlds whole. Both are more than "make test" plays.
# The million must meet everything that schedules can meet; fewer of them do not.
SEEDS ?= 1000000
COVER ?= --cover
campaign:
	@echo "== $(SEEDS) schedules of faults over a store that expires leases, a quarter as many over a bare register"
	@go build -buildvcs=false -o $(BIN)/tenure ./cmd/tenure
	@$(BIN)/tenure simulate --nodes 5 --first 1000000000 --seeds $(SEEDS) $(COVER)
	@$(BIN)/tenure simulate --nodes 4 --first 2000000000 --seeds $$(($(SEEDS) / 4)) --store register

# Five processes on every store for two minutes each, three stores at once. CHAOS_FLAGS=--help has the rest.
CHAOS_FLAGS ?=
chaos:
	@.ci/setup all
	@echo "== chaos: real processes on real stores, killed, paused and cut off"
	@go build -buildvcs=false -tags "$(SLOW_TAGS)" -o $(BIN)/chaos ./cmd/tenure/internal/chaos
	@$(BIN)/chaos $(CHAOS_FLAGS)

prove:
	@echo "== worlds of two and three nodes, explored whole"
	@go build -buildvcs=false -o $(BIN)/tenure ./cmd/tenure
	@$(BIN)/tenure simulate --explore --nodes 2 --crashes 1 --heal
	@$(BIN)/tenure simulate --explore --nodes 2 --crashes 2 --pauses 2 --max-states 100000000
	@$(BIN)/tenure simulate --explore --nodes 3 --pauses 1
	@$(BIN)/tenure simulate --explore --store register --nodes 2 --crashes 1 --heal
	@$(BIN)/tenure simulate --explore --store register --nodes 2 --stops 1
	@$(BIN)/tenure simulate --explore --store register --nodes 2 --pauses 1

check: fmt tidy mod vet vet-cross staticcheck fuzz
	@echo "== check: all passed"

fmt:
	@echo "== gofmt"
	@out=$$(gofmt -l -s .); test -z "$$out" || { printf 'gofmt: run "gofmt -s -w" on:\n%s\n' "$$out" >&2; exit 1; }

# The house rules (internal/tidy): import order, sizes, comments, README blocks, the listing of the exported API.
tidy:
	@echo "== house rules"
	@go test -count=1 ./internal/tidy

mod:
	@echo "== go.mod and go.sum of each module, as a user gets it: without go.work"
	@for dir in $$(go list -m -f '{{.Dir}}'); do \
		echo "$${dir#$(CURDIR)/}"; \
		GOWORK=off go -C "$$dir" mod tidy -diff || \
			{ echo "mod: run GOWORK=off go mod tidy in $$dir" >&2; exit 1; }; \
	done

vet:
	@echo "== go vet: every module"
	@go vet -tags '$(SLOW_TAGS)' work

# Other systems are compiled and vetted with their tests; what they do there is not run here.
vet-cross:
	@for os in windows darwin; do \
		echo "== go vet for $$os: the core and the command"; \
		CGO_ENABLED=0 GOOS=$$os go vet ./... ./cmd/tenure/...; \
	done

staticcheck:
	@echo "== staticcheck: every module"
	@GOWORK=off go -C tools build -buildvcs=false -o $(BIN)/ honnef.co/go/tools/cmd/staticcheck
	@$(BIN)/staticcheck -tags '$(SLOW_TAGS)' work

fuzz:
	@echo "== fuzz: $(FUZZ_SECONDS) s shared by every fuzz target"
	@.ci/fuzz $(FUZZ_SECONDS)

clean:
	@rm -rf $(BIN)
