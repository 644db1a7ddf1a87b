# `make demo` shows what the program does; `make test` runs all tests. Both install what they need on Debian and Ubuntu.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
# Many tests wait: for a server to start, for a lock, for a time limit.
TEST_THREADS ?= $(shell echo $$(( 2 * $$(nproc) )))
.PHONY: help build dist test majors demo play play-stop soak fuzz mutants bench bench-daemon lint deny tools

help: ## Say what there is to make
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 22

build: ## Build the program: target/release/odoo-backup
	cargo build --locked --release -p odoo-backup

dist: ## Pack a release into target/dist: tarball, Debian package, SHA256SUMS (options: deploy/dist --help)
	deploy/dist

test: tools lint deny ## Run every check and every test, installing what they need
	cargo test --locked --workspace --doc
	if cargo nextest --version >/dev/null 2>&1; then \
	    tests/in-memory cargo nextest run --locked --workspace --test-threads $(TEST_THREADS); \
	else \
	    tests/in-memory cargo test --locked --workspace --all-targets; \
	fi

majors: tools ## Go from each major version of PostgreSQL to others, installing 14 to 18 into .tools
	tests/install-postgres-majors.sh
	cargo test --locked -p odoo-backup --test end_to_end majors::

demo: ## Show the program in twelve steps on a made-up Odoo, and sum up (KEEP=1 leaves it)
	tests/install-tools.sh demo
	tests/demo.sh

play: ## Leave such an Odoo running with the dashboard, until Ctrl-C or `make play-stop`
	tests/install-tools.sh demo
	tests/play.sh

play-stop: ## Stop what `make play` runs, and remove it
	tests/play.sh stop

soak: tools ## Measure memory from 100 MB to 2 GB, on a folder and on S3, and with a million files; and ten thousand backups
	ODOO_BACKUP_TEST_SIZES_MB='100 2000' cargo test --locked --release -p odoo-backup --test end_to_end memory:: -- \
	    --include-ignored --nocapture --test-threads=1
	cargo test --locked --release -p odoo-backup --test end_to_end scale:: -- --include-ignored --nocapture --test-threads=1

FUZZ_SECONDS ?= 600
FUZZ_TARGETS ?= manifest lists dump_lists tar archive splitter odoo_conf config signatures sealed

fuzz: ## Fuzz each parser for FUZZ_SECONDS (600); FUZZ_TARGETS names some of them
	cargo fuzz --version >/dev/null 2>&1 || cargo install --locked cargo-fuzz
	for target in $(FUZZ_TARGETS); do \
	    mkdir -p fuzz/corpus/$$target; \
	    RUSTC_BOOTSTRAP=1 cargo fuzz run $$target fuzz/corpus/$$target fuzz/found/$$target -- \
	        -max_total_time=$(FUZZ_SECONDS) -rss_limit_mb=1024 -timeout=20 -max_len=65536; \
	done

mutants: ## Change the code of retention, the ledger and the lock in small ways, and list what no test notices
	cargo mutants --version >/dev/null 2>&1 || cargo install --locked cargo-mutants
	cargo mutants --package odoo-backup-retention --test-package odoo-backup-retention --output target/mutants/retention
	cargo mutants --package odoo-backup-engine --file engine/src/filestore/ledger.rs --file engine/src/repository/lock.rs --file 'engine/src/repository/lock/*.rs' \
	    --output target/mutants/engine -- --lib ledger lock

bench: ## Compare this program with gzip, zstd, restic and borg (options: tests/bench/run --help)
	tests/bench/run

bench-daemon: ## Measure one daemon with 500 instances: start, memory, answers (options: tests/bench/daemon --help)
	tests/bench/daemon

lint: ## Check format, spelling, words, links, imports, clippy and documentation
	cargo fmt --all --check
	tests/install-wheels.sh typos
	.tools/typos
	mkdir -p target/lint
	rustc --edition 2024 -O -o target/lint/prose tests/prose.rs && target/lint/prose
	rustc --edition 2024 --test -o target/lint/prose-tests tests/prose.rs && target/lint/prose-tests --quiet
	rustc --edition 2024 -o target/lint/imports tests/imports.rs && target/lint/imports
	cargo clippy --locked --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --locked --workspace --no-deps

deny: tools ## Check licences, banned crates and sources
	.tools/cargo-deny --locked check --hide-inclusion-graph licenses bans sources

tools: ## Install what the tests need: PostgreSQL, zstd, an S3 server, cargo-deny, helm and others that check deploy/
	tests/install-tools.sh
