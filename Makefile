# The commands of the repository. Each is safe to run twice; CARGO and DATA may be given: make run DATA=/srv/soke

CARGO ?= cargo
DATA ?= .soke
LOCKED := --locked
QUICK := --profile quick $(LOCKED)
XTASK := target/quick/xtask

# What `soke --version` prints: the commit and when it was first built here. Only crate soke reads them, so that a
# new commit compiles no other crate, and a second build of the same commit compiles nothing.
export SOKE_COMMIT := $(shell git rev-parse --short HEAD 2>/dev/null)
export SOKE_BUILT := $(shell stamp=target/built-$(SOKE_COMMIT); mkdir -p target; \
	test -s $$stamp || date -u +%Y-%m-%dT%H:%M:%SZ > $$stamp; cat $$stamp)

# What one program needs is built with the features that the whole workspace needs, so that no crate is built twice.
ONE := $(QUICK) --workspace --bin

# The tests are built through a wrapper of the compiler (xtask/src/wrapper.rs). Once they are, it builds what `make run`
# needs as well, as cargo keeps what it has built with other settings apart.
WRAPPER := $(abspath $(wildcard target/lint))
WRAPPED := $(if $(WRAPPER),RUSTC_WORKSPACE_WRAPPER=$(WRAPPER) CARGO_INCREMENTAL=0)

.PHONY: run build test test-full check bench bench-grpc fuzz tools xtask

## Builds Soke and starts a zone in ./.soke; the first start shows what it can do.
run: build
	@exec target/quick/soke up --data $(DATA) --story

build:
	@$(WRAPPED) $(CARGO) build $(ONE) soke

## Runs the checks and every test, with small counts.
test: xtask
	@$(XTASK) test --check

## The same tests with the full counts.
test-full: xtask
	@$(XTASK) test --check --full

## Holds the tree to its rules: format, lints, layers, lengths, licences, links.
check: xtask
	@$(XTASK) check

## Prints what Soke reaches on this machine, next to its bounds.
bench:
	@$(CARGO) run --quiet --release $(LOCKED) --package bench

## The report on gRPC servers alone.
bench-grpc: tools
	@$(CARGO) run --quiet --release $(LOCKED) --package bench -- grpc

## Searches by coverage for inputs that end a reader of strangers' bytes: make fuzz SECONDS=600
fuzz:
	@CARGO=$(CARGO) fuzz/run $(SECONDS)

## What `make test` installs for itself.
tools:
	@tests/tools/install

xtask:
	@$(CARGO) build --quiet $(ONE) xtask
