#!/usr/bin/env bash
# Real clients and servers against the examples, over loopback alone: `make interop`, or `.ci/interop/run.sh kv tls`
# for a few of the scripts beside this one. It builds what they talk to and installs what they are.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$here/../.."
export TMPDIR=${TMPDIR:-/tmp}

# How long one script may take, in seconds: far more than it does, for a machine that is busy.
time_max=${INTEROP_SECONDS:-240}

scripts=("$@")
if ((!${#scripts[@]})); then
  for script in http hyper tls kv sockets dns glib; do
    [[ ! -e $here/$script.sh ]] || scripts+=("$script")
  done
fi

.ci/need curl=curl wrk=wrk ab=apache2-utils h2load=nghttp2-client redis-cli=redis-tools redis-benchmark=redis-tools \
  socat=socat ncat=ncat dig=dnsutils dnsmasq=dnsmasq-base openssl=openssl python3=python3 \
  gdbus=libglib2.0-bin >&2

target=$PWD/${CARGO_TARGET_DIR:-target}
[[ ${CARGO_TARGET_DIR:-} != /* ]] || target=$CARGO_TARGET_DIR
echo 'interop: building'
cargo build --quiet --release ${CI:+--locked} --examples
crate=(--quiet --release ${CI:+--locked} --manifest-path docs/interop/Cargo.toml --target-dir "$target/interop")
cargo build "${crate[@]}" --features glib --bins
cargo test "${crate[@]}"

# Where the scripts find the programs: $EXAMPLES/kv_server, $BINS/tls_server.
export EXAMPLES=$target/release/examples BINS=$target/interop/release
took=()
echo "interop: built in $SECONDS s"
for script in "${scripts[@]}"; do
  start=$SECONDS
  echo "== $script"
  # The time limit reaches all that the script started, also where it forgot one.
  timeout --kill-after=5 "$time_max" bash "$here/$script.sh" </dev/null || {
    status=$?
    echo "interop: $script.sh failed (status $status)" >&2
    exit 1
  }
  took+=("$script $((SECONDS - start)) s")
  echo "== $script: ok, $((SECONDS - start)) s"
done
printf 'interop: ok'
printf ', %s' "${took[@]}"
echo
