# Everything that is done to this tree, by the same names on every machine and in CI.
# Written for any make: GNU's (also the old one of macOS) and those of the BSDs.

# CI builds what Cargo.lock says; elsewhere cargo may write it.
CARGO_TEST = cargo test $${CI:+--locked}
# Builds with other flags have their own folders, or each would throw away the others' work.
BUILT = $${CARGO_TARGET_DIR:-target}
# This machine's own target: with --target, flags do not reach build scripts.
HOST = $$(rustc -vV | sed -n 's/^host: //p')
# Sanitizers and Miri are nightly's. Without it, sanitizers run on the stable toolchain, unlocked.
HAS_NIGHTLY = RUSTUP_AUTO_INSTALL=0 cargo +nightly --version >/dev/null 2>&1
# Where figures of mainspring beside its rivals are kept: `make bench-peers PEERS_JSON=docs/performance/peers.json`.
PEERS_JSON = $(BUILT)/peers/peers.json
UNSTABLE_CARGO = if $(HAS_NIGHTLY); then nightly=+nightly; else nightly=; export RUSTC_BOOTSTRAP=1; fi; cargo $$nightly

.PHONY: help interop bench-hyper test test-native test-poll test-lean run hazards loom asan tsan storm fuzz miri targets msrv deps \
	bench-smoke bench bench-callgrind bench-peers bench-peers-smoke bench-syscalls bench-start-up bench-plot \
	fmt lint doc book soak ci

help: ## this list
	@sed -nE 's/^([a-z-]+):[^#]*## (.*)/\1|\2/p' Makefile | awk -F'|' '{ printf "%-16s %s\n", $$1, $$2 }'

test: test-native test-poll test-lean ## everything that a change must pass, on both backends

test-native: ## all tests on this system's own selector (epoll or kqueue)
	$(CARGO_TEST) --workspace --features sim

test-poll: ## all tests on poll(2)
	CARGO_TARGET_DIR="$(BUILT)/poll" RUSTFLAGS='--cfg mainspring_backend="poll"' \
		$(CARGO_TEST) --workspace --features sim

test-lean: ## unit tests without the records of feature `inspect`
	$(CARGO_TEST) --no-default-features --features sim --lib

run: ## the example that shows the main job
	cargo run --release --features sim --example main_job

hazards: ## which hazards are covered by a test, and which are open
	@.ci/hazards

loom: ## every interleaving of the parts that several threads touch
	@export CARGO_TARGET_DIR="$(BUILT)/loom" RUSTFLAGS='--cfg mainspring_loom'; \
	export LOOM_MAX_PREEMPTIONS="$${LOOM_MAX_PREEMPTIONS:-3}"; \
	set -x; \
	$(CARGO_TEST) --release --lib loom -- --list | grep ': test$$' >/dev/null || { echo 'loom: no models found' >&2; exit 1; }; \
	$(CARGO_TEST) --release --lib loom

asan: ## all tests but the doc tests under AddressSanitizer, blocks from malloc
	@export CARGO_TARGET_DIR="$(BUILT)/asan" RUSTFLAGS='-Zsanitizer=address --cfg mainspring_malloc'; \
	export ASAN_OPTIONS="$${ASAN_OPTIONS:-detect_stack_use_after_return=1}"; \
	export LSAN_OPTIONS="$${LSAN_OPTIONS:-suppressions=tests/lsan.supp:print_suppressions=0}"; \
	$(UNSTABLE_CARGO) test $${CI:+--locked} --workspace --features sim --lib --tests --target "$(HOST)"

tsan: ## wake-ups, channels and the pool across threads under ThreadSanitizer
	@export CARGO_TARGET_DIR="$(BUILT)/tsan"; \
	export RUSTFLAGS='-Zsanitizer=thread -Cunsafe-allow-abi-mismatch=sanitizer --cfg mainspring_malloc --cfg mainspring_tsan'; \
	export TSAN_OPTIONS="$${TSAN_OPTIONS:-suppressions=tests/tsan.supp}"; \
	$(UNSTABLE_CARGO) test $${CI:+--locked} --features sim --test tsan_wakes --test tsan_threads --target "$(HOST)"

storm: ## all tests but the doc tests in a storm of signals without SA_RESTART (Linux; STORM='--test net' for some)
	@mkdir -p "$(BUILT)/storm" && rustc --edition 2024 -O -o "$(BUILT)/storm/runner" .ci/storm.rs
	@runner="$$(cd "$(BUILT)/storm" && pwd)/runner"; \
	export CARGO_TARGET_DIR="$(BUILT)/storm" RUSTFLAGS='--cfg mainspring_storm' CARGO_PROFILE_DEV_DEBUG=0; \
	$(CARGO_TEST) --workspace --features sim $${STORM:---lib --tests} --no-fail-fast \
		--config "target.'cfg(unix)'.runner=['$$runner']"

# What cargo-fuzz passes, without having to install it.
FUZZ_FLAGS = -Zsanitizer=address -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
	-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
	-Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing --cfg mainspring_malloc

fuzz: ## each fuzz target for FUZZ_SECONDS (60) under AddressSanitizer
	@.ci/need c++=g++
	@export CARGO_TARGET_DIR="$(BUILT)/fuzz" RUSTFLAGS='$(FUZZ_FLAGS)'; host="$(HOST)"; \
	$(UNSTABLE_CARGO) build --release $${CI:+--locked} --manifest-path tests/fuzz/Cargo.toml --target "$$host" && \
	targets="lines length_delimited http_request dns_message dns_config"; \
	case "$$(uname -s)" in Linux) targets="$$targets inotify";; esac; \
	for target in $$targets; do \
		mkdir -p "$$CARGO_TARGET_DIR/corpus/$$target" && \
		echo "== $$target" && \
		"$$CARGO_TARGET_DIR/$$host/release/$$target" -max_total_time="$${FUZZ_SECONDS:-60}" -timeout=10 \
			-print_final_stats=1 -artifact_prefix="$$CARGO_TARGET_DIR/$$target-" \
			"$$CARGO_TARGET_DIR/corpus/$$target" "tests/fuzz/corpus/$$target" || exit 1; \
	done

miri: ## the structures and tasks under Miri (needs nightly with the component miri)
	CARGO_TARGET_DIR="$(BUILT)/miri" cargo +nightly miri test $${CI:+--locked} --features sim --lib -- \
		list:: slab:: wheel:: task::

targets: ## type-check for every system that is supported
	.ci/cross-check.sh . -- --features sim
	.ci/cross-check.sh . --cfg 'mainspring_backend="poll"' -t x86_64-unknown-linux-gnu,x86_64-apple-darwin -- --features sim
	.ci/cross-check.sh . --cfg 'mainspring_backend="kqueue"' \
		-t x86_64-unknown-freebsd,x86_64-unknown-netbsd,x86_64-unknown-openbsd,x86_64-unknown-dragonfly -- --features sim

msrv: ## type-check with the oldest Rust that is supported
	.ci/cross-check.sh . --msrv

deps: ## what a user of the crate has to build, and no more
	@.ci/deps

bench-smoke: ## every benchmark once, to see that it runs
	cargo bench $${CI:+--locked} --workspace --bench '*' -- --test

bench: ## every benchmark, measured
	cargo bench --workspace --bench '*'

bench-callgrind: ## instructions per operation, counted
	benches/callgrind/run.sh

bench-peers: ## mainspring beside its rivals, in one run (PEERS='--rounds 9 echo-1')
	benches/peers/run.sh run --out "$(PEERS_JSON)" $(PEERS)

bench-peers-smoke: ## the same once and small, beside tokio alone, to see that it runs
	PEERS_FEATURES=mainspring,tokio benches/peers/run.sh run --rounds 1 --share 0.01

bench-syscalls: ## system calls per operation of all peers, counted
	benches/peers/run.sh calls --out "$(PEERS_JSON)" $(PEERS)

bench-start-up: ## the least program on each peer, to run, to store and to build
	benches/peers/run.sh build --out "$(PEERS_JSON)" $(PEERS)
	benches/peers/run.sh start-up --out "$(PEERS_JSON)" $(PEERS)

bench-plot: ## tables and pictures of docs/performance.md, from docs/performance/peers.json
	benches/peers/run.sh page docs/performance/peers.json docs/performance.md
	benches/peers/run.sh plot docs/performance/peers.json docs/performance

interop: ## curl, wrk, openssl, redis-cli and others against the examples, on loopback
	@.ci/interop/run.sh

bench-hyper: ## hyper's hello over mainspring beside the same over tokio, under wrk
	@docs/interop/bench.sh

fmt: ## the formatting is cargo fmt's
	cargo fmt --all --check

lint: ## clippy, warnings are errors
	cargo clippy $${CI:+--locked} --workspace --all-targets --features sim -- -D warnings
	cargo clippy $${CI:+--locked} --workspace --lib --no-default-features -- -D warnings

doc: ## the documentation builds, warnings are errors
	RUSTDOCFLAGS='-D warnings' cargo doc $${CI:+--locked} --workspace --no-deps --all-features

book: ## the pages of docs as one book, in target/book (needs mdBook, which cargo installs)
	@command -v mdbook >/dev/null || { echo 'book: needs mdBook: cargo install mdbook' >&2; exit 1; }
	mdbook build docs

soak: ## the tests with their large repetition counts; takes hours
	MAINSPRING_SOAK=1 cargo test --release --workspace --features sim -- --include-ignored

ci: ## what CI runs, on this machine
	bash .ci/run
