#!/usr/bin/env bash
# Builds the peers and does what the arguments say (head of src/main.rs): `benches/peers/run.sh run echo-1`.
#
# PEERS_FEATURES chooses which Rust peers are built (all). libuv is C: it is compiled here, with Debian's
# package; where that can't be had its column is missing, and this says so.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

target=${CARGO_TARGET_DIR:-target}/peers
features=${PEERS_FEATURES:-mainspring,tokio,smol,monoio}
cargo build --quiet --release --locked --manifest-path benches/peers/Cargo.toml --target-dir "$target" \
  --no-default-features --features "measure,$features"

libuv() {
  [[ -e /usr/include/uv.h ]] || .ci/need no-such-command=libuv1-dev
  local name
  for name in libuv-peer=peer hello-libuv=hello; do
    cc -O2 -Wall -Wextra -o "$target/release/${name%=*}" "benches/peers/libuv/${name#*=}.c" -luv
  done
}
if [[ -z ${PEERS_FEATURES:-} ]]; then
  libuv >&2 || echo 'run.sh: no libuv here, its column will be missing' >&2
else
  # One from before may not know today's loads.
  rm -f "$target/release/libuv-peer"
fi

case ${1:-} in
calls | start-up) .ci/need strace=strace strip=binutils ;;
esac
"$target/release/peers" "$@"
