#!/usr/bin/env bash
# Builds the peers and does what the arguments say (head of src/main.rs): `benches/peers/run.sh run echo-1`.
#
# PEERS_FEATURES chooses which Rust peers are built (all). libuv is C: it is compiled here, with Debian's
# package; where that can't be had its column is missing, and this says so.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

target=${CARGO_TARGET_DIR:-target}/peers
features=${PEERS_FEATURES:-mainspring,tokio,smol-systems,monoio}
build() {
  cargo build --quiet --release --locked --manifest-path benches/peers/Cargo.toml --target-dir "$target" \
    --no-default-features --bin "$1" --features "$2"
}
build peers "measure,$features"

# What the cells of children start.
cc -O2 -Wall -Wextra -nostdlib -static -o "$target/release/least-true" benches/peers/children/true.c >&2 ||
  echo 'run.sh: the least `true` cannot be built here, the system'"'"'s takes its place' >&2

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
if [[ ${1:-} == start-up ]]; then
  # Each with its own peer and no more than that needs: what the cells ask of one would grow its least program, too.
  build hello-bare ''
  for peer in mainspring tokio smol monoio; do
    build "hello-$peer" "$peer"
  done
fi
"$target/release/peers" "$@"
