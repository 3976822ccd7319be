# Everything here is a thin name for a script or a cargo command; `make help` lists them.

ARGS ?=
# A Rust that rustup has just installed is not on the PATH of an old shell.
export PATH := $(PATH):$(HOME)/.cargo/bin

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint doc fuzz bench instructions release

help: ## show this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "%-20s %s\n", $$1, $$2 }'

setup: ## install what is missing to build, test and try holdpoint
	@scripts/setup $(ARGS)

demo: ## try it: a throwaway PostgreSQL, the proxy and the console (ARGS="--help" lists its options)
	@scripts/demo $(ARGS)

test: ## all tests, on a PostgreSQL that they start themselves (ARGS="NAME" picks some)
	@scripts/setup
	cargo test --locked $(ARGS)

lint: ## formatting and lints, as in CI
	cargo fmt --check
	cargo clippy --all-targets --locked -- -D warnings

doc: ## the code's documentation, private items too
	RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --locked --document-private-items

fuzz: ## the parsers of what comes from outside, with arbitrary bytes (ARGS="--seconds 600 framer")
	@scripts/setup --with-fuzz
	@scripts/fuzz $(ARGS)

instructions: ## count those of a statement that passes, and compare (ARGS="--help")
	@scripts/setup --with-valgrind
	@benches/instructions $(ARGS)

release: ## the program, built with a profile of what it does most: target/pgo/holdpoint
	@scripts/setup --with-bench
	@benches/release $(ARGS)

bench: ## side by side: direct, haproxy, pgbouncer and holdpoint (ARGS="--quick")
	@scripts/setup --with-bench
	@benches/passthrough $(ARGS)
