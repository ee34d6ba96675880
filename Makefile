# Needs Rust, Python 3.11 to 3.13 and a C compiler; everything else is fetched into .emulators/ on first use.

CARGO  ?= cargo
# Chosen by trying, since a shim of a missing version is found but does not run.
ifndef PYTHON
PYTHON = $(eval PYTHON := $(or $(shell for python in python3 python3.13 python3.12 python3.11; do \
	if $$python scripts/emulators.py check >/dev/null 2>&1; then echo $$python; break; fi; done),python3))$(PYTHON)
endif
TARGET  = $(or $(CARGO_TARGET_DIR),target)

.DEFAULT_GOAL := help
.PHONY: help demo test fuzz bench check tools

help:
	@echo "make demo    deploy the samples to 2 accounts x 2 regions on a local emulator"
	@echo "make test    formatting, lints and all tests, beside running emulators"
	@echo "make fuzz    damaged files for the readers, SECONDS=300 long"
	@echo "make bench   stackgate beside the AWS CLI and a raw SDK client"
	@echo "make check   formatting and lints only"

demo: tools
	$(CARGO) build --locked
	$(PYTHON) scripts/emulators.py run --only localstack -- bash scripts/demo.sh $(TARGET)/debug/stackgate

test: tools check
	$(PYTHON) scripts/emulators.py run -- $(CARGO) test --locked

fuzz:
	FUZZ_SECONDS=$(or $(SECONDS),60) $(CARGO) test --locked --test fuzz -- --nocapture

bench: tools
	$(CARGO) build --locked --release --bin stackgate --example raw_client --example template_diff --example fleet
	$(PYTHON) scripts/bench_diff.py $(TARGET)/release
	$(PYTHON) scripts/bench_fleet.py $(TARGET)/release
	$(PYTHON) scripts/emulators.py run --only localstack -- $(PYTHON) scripts/bench.py $(TARGET)/release
	$(PYTHON) scripts/emulators.py run --only localstack --only ministack -- $(PYTHON) scripts/bench_slow.py $(TARGET)/release

check:
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- -D warnings

# Before anything long: what is missing, and the remedy.
tools:
	@command -v $(CARGO) >/dev/null || { echo "error: cargo was not found; remedy: install Rust from rustup.rs" >&2; exit 1; }
	@command -v $(PYTHON) >/dev/null || { echo "error: $(PYTHON) was not found; remedy: install Python 3.11, 3.12 or 3.13" >&2; exit 1; }
	@$(PYTHON) scripts/emulators.py check
