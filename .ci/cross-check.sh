#!/usr/bin/env bash
# Type-check (or lint) a Cargo workspace, its tests, benches and examples
# included, for targets whose standard library is not installed.
#
# For each target the first of these that exists is used:
#   1. the std of the current toolchain (`rustup target add` puts it there);
#   2. the current toolchain's own rust-src, with -Zbuild-std;
#   3. Debian's packages rustc-web, cargo-web, rust-web-src, rust-web-clippy
#      of one version, with -Zbuild-std: those installed on the machine, or
#      unpacked into the cache folder (nothing of the system is replaced);
#   4. where Debian's are not to be had, what rustup can add: the target's std,
#      or for a target that it has none of (OpenBSD, DragonFly), rust-src.
# Nothing is linked and nothing is run. Prints `target: ok` or
# `target: FAILED` for each target; what failed goes to standard error.
set -euo pipefail

TARGETS='x86_64-unknown-linux-gnu aarch64-unknown-linux-gnu
x86_64-unknown-linux-musl x86_64-apple-darwin aarch64-apple-darwin
x86_64-unknown-freebsd x86_64-unknown-netbsd x86_64-unknown-openbsd
x86_64-unknown-dragonfly'

usage() {
  cat <<'USAGE'
usage: .ci/cross-check.sh [WORKSPACE] [option]... [-- CARGO-ARGUMENT...]
  WORKSPACE             folder with a Cargo.toml; default: the current one
  --check | --clippy    what to run; default: check
  -t, --targets LIST    targets, separated by spaces or commas
                        (`all`: the default list and illumos, android, i686)
  --cfg CFG             pass --cfg CFG to the workspace's own crates; repeatable
  -D, --deny-warnings   warnings in the workspace's own crates are errors
  --rust VERSION        use Debian's packages of this version (1.85, 1.96 ...),
                        or else rustup's, and not the current toolchain
  --msrv                --rust with the workspace's rust-version (1.85 if it
                        has none), for this machine's own target only unless
                        -t is given
  -j, --jobs N          targets at a time; default: one a processor, at most 4
  --list                print the default targets and stop
  --prepare             get the toolchain and stop
  -h, --help
environment: CROSS_CHECK_CACHE  where toolchains, std builds and logs are kept
             (default: cross-check in XDG_CACHE_HOME, else in ~/.cache)
USAGE
}

die() {
  echo "cross-check: $*" >&2
  exit 2
}

cmd=check targets='' rust='' msrv='' jobs='' prepare='' flags=() extra=() dir=
while (($#)); do
  case $1 in
  --check) cmd=check ;;
  --clippy) cmd=clippy ;;
  check | clippy) [[ -d $1 ]] && dir=$1 || cmd=$1 ;;
  -t | --targets | --target) targets=${2:?$1 needs a list} && shift ;;
  --cfg) flags+=(--cfg "${2:?--cfg needs a value}") && shift ;;
  -D | --deny-warnings) flags+=(-Dwarnings) ;;
  --rust) rust=${2:?--rust needs a version} && shift ;;
  --msrv) msrv=1 ;;
  -j | --jobs) jobs=${2:?$1 needs a number} && shift ;;
  --list) echo "$TARGETS" | tr ' ' '\n' && exit ;;
  --prepare) prepare=1 ;;
  -h | --help) usage && exit ;;
  --) shift && extra=("$@") && break ;;
  -*) usage >&2 && exit 2 ;;
  *) dir=$1 ;;
  esac
  shift
done

cd "${dir:-.}" || die "no folder ${dir}"
[[ -f Cargo.toml || -n $prepare ]] || die "no Cargo.toml in $PWD"
cache=${CROSS_CHECK_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/cross-check}
mkdir -p "$cache/log" "$cache/wrap"
cache=$(cd "$cache" && pwd)
host=$(uname -m)-unknown-linux-gnu

if [[ -n $msrv ]]; then
  [[ -n $rust ]] || rust=$(sed -nE 's/^rust-version *= *"([0-9]+\.[0-9]+).*/\1/p' Cargo.toml | head -n 1)
  : "${rust:=1.85}"
  : "${targets:=$host}"
fi
: "${targets:=$TARGETS}"
[[ $targets != all ]] || targets="$TARGETS x86_64-unknown-illumos aarch64-linux-android i686-unknown-linux-gnu"
read -ra list <<<"$(echo "$targets" | tr ',\n' '  ')"
[[ -n $jobs ]] || jobs=$(($(nproc) < 4 ? $(nproc) : 4))

# --- Debian's toolchain ------------------------------------------------------

# Sets deb_bin, deb_sysroot and deb_lib. `deb_lib` is empty for the toolchain
# that is installed on the system.
debian_toolchain() {
  [[ -z ${deb_bin:-} ]] || return 0
  local want=$1 v
  if [[ -x /usr/bin/cargo && -x /usr/bin/clippy-driver && -x /usr/bin/rustc ]]; then
    v=$(/usr/bin/rustc --version 2>/dev/null | cut -d' ' -f2) || v=
    if [[ -n $v && ($v == "$want".* || $v == "$want" || -z $want) &&
      -f /usr/lib/rustlib/src/rust/library/Cargo.lock &&
      $(/usr/bin/rustc --print sysroot) == /usr &&
      $(/usr/bin/cargo --version) == "cargo $v "* ]] &&
      [[ $(readlink -f /usr/lib/rustlib/src/rust) == *"-$v" ]]; then
      deb_bin=/usr/bin deb_sysroot=/usr deb_lib=
      return 0
    fi
  fi
  command -v apt-get >/dev/null || return 1
  unpack_toolchain "$want"
}

madison() { apt-cache madison "$1" 2>/dev/null | awk -v w="$2" '{ v = $3; sub(/[+~-].*/, "", v) } w == "" || v == w || index(v, w ".") == 1 { print $3; exit }'; }

# Only a folder that was unpacked whole carries the mark .done.
unpack_toolchain() {
  local want=$1 full p set=() deps=() at tmp
  for at in "$cache"/deb-"${want:-*}"*/; do
    [[ -n $want && -f $at/.done ]] || continue
    use_unpacked "${at%/}"
    return 0
  done
  # A list that is old, or of one suite only, hides the newest version.
  if [[ $(id -u) == 0 ]]; then apt-get update -qq >"$cache/log/apt.log" 2>&1 || true; fi
  full=$(apt_version "$want")
  [[ -n $full ]] || { echo "cross-check: Debian has no rustc-web ${want:-} here" >&2 && return 1; }
  at=$cache/deb-${full%%[+~-]*}
  if [[ ! -f $at/.done ]]; then
    # rust-web-src, cargo-web, rustc-web, rust-web-clippy, their own libraries.
    set=("rustc-web=$full" "cargo-web=$full" "rust-web-clippy=$full" "libstd-rust-web-dev=$full")
    p=$(apt-cache madison rust-web-src | awk -v v="${full%%[+~-]*}" 'index($3, v) == 1 { print $3; exit }')
    set+=("rust-web-src=${p:-$full}")
    p=$(depends "libstd-rust-web-dev=$full" | grep '^libstd-rust-web-' | head -n 1)
    set+=("$p=$full")
    for p in "${set[@]}"; do
      while read -r d; do deps+=("$d"); done < <(depends "$p" | grep -vE '^(rustc-web|cargo-web|libstd-rust-web.*|rust-web-.*)$' || true)
    done
    install_missing gcc "${deps[@]}"
    tmp=$(mktemp -d "$cache/unpack.XXXXXX")
    (
      cd "$tmp"
      # As root, apt warns that its sandbox user can't write here: harmless.
      apt-get download -q "${set[@]}" >"$cache/log/apt.log" 2>&1
      for p in ./*.deb; do dpkg -x "$p" root; done
    ) || { tail -n 5 "$cache/log/apt.log" >&2 && rm -rf "$tmp" && return 1; }
    rm -rf "$at"
    mv "$tmp/root" "$at"
    rm -rf "$tmp"
    touch "$at/.done"
  fi
  use_unpacked "$at"
}

apt_version() {
  local v
  v=$(madison rustc-web "$1")
  # The candidate that apt itself would choose, when any version will do.
  [[ -n $1 ]] || v=$(apt-cache policy rustc-web 2>/dev/null | awk '/Candidate:/ && $2 != "(none)" { print $2 }')
  echo "$v"
}

# The names that a package depends on, the first of each set of alternatives.
depends() {
  apt-cache show "$1" 2>/dev/null | sed -nE 's/^(Pre-)?Depends: //p' | head -n 1 |
    tr ',' '\n' | sed -E 's/\|.*//; s/\(.*//; s/:any//; s/ //g'
}

install_missing() {
  local p missing=()
  for p in "$@"; do
    [[ $p != libc-dev ]] || p=libc6-dev
    [[ $(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null) == installed ]] || missing+=("$p")
  done
  ((${#missing[@]})) || return 0
  [[ $(id -u) == 0 ]] || die "as root, once: apt-get install ${missing[*]}"
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" \
    >"$cache/log/apt.log" 2>&1 || { tail -n 5 "$cache/log/apt.log" >&2 && return 1; }
}

use_unpacked() {
  deb_bin=$1/usr/bin deb_sysroot=$1/usr
  deb_lib=$(dirname "$(find "$1/usr/lib" -maxdepth 2 -name 'librustc_driver*.so' | head -n 1)")
  local s
  # A link to the source that leaves the folder: lead it back.
  for s in "$1"/usr/src/rustc-*; do
    [[ -f $deb_sysroot/lib/rustlib/src/rust/library/Cargo.lock ]] || { mkdir -p "$deb_sysroot/lib/rustlib/src" &&
      ln -sfn "$s" "$deb_sysroot/lib/rustlib/src/rust"; }
  done
}

# Adds to rustup's toolchain what the target needs, and sets what `choose` sets.
rustup_toolchain() {
  local t=$1 name log=$cache/log/rustup.log
  command -v rustup >/dev/null || return 1
  name=${rust:-$(rustup show active-toolchain | cut -d' ' -f1)}
  [[ -z $rust ]] || rustup toolchain install --profile minimal -c clippy "$rust" >"$log" 2>&1 || return 1
  sysroot=$(rustc "+$name" --print sysroot) || return 1
  cargo=$sysroot/bin/cargo rustc=$sysroot/bin/rustc lib=
  if has_std "$sysroot" "$t" || rustup target add --toolchain "$name" "$t" >>"$log" 2>&1; then
    std=ready
  else
    rustup component add --toolchain "$name" rust-src >>"$log" 2>&1 || return 1
    std=build
  fi
}

# --- one target --------------------------------------------------------------

has_std() { compgen -G "$1/lib/rustlib/$2/lib/libstd-*.rlib" >/dev/null; }

# Sets cargo, rustc, sysroot, lib and std (`ready` or `build`) for a target.
choose() {
  local t=$1
  lib=
  if [[ -z $rust && -n $own_sysroot ]]; then
    cargo=$own_sysroot/bin/cargo rustc=$own_sysroot/bin/rustc sysroot=$own_sysroot
    [[ -x $cargo ]] || cargo=$(command -v cargo)
    if [[ $cmd == check || -x $sysroot/bin/clippy-driver ]]; then
      has_std "$sysroot" "$t" && std=ready && return 0
      [[ -f $sysroot/lib/rustlib/src/rust/library/Cargo.lock ]] && std=build && return 0
    fi
  fi
  debian_toolchain "$rust" || { rustup_toolchain "$t" && return 0 || return 1; }
  cargo=$deb_bin/cargo rustc=$deb_bin/rustc sysroot=$deb_sysroot lib=$deb_lib std=build
  ! has_std "$sysroot" "$t" || std=ready
}

# A wrapper for the workspace's own crates: clippy-driver for clippy, and the
# flags, which so do not reach std (or every set of flags would rebuild it).
wrapper() {
  local text
  [[ $cmd == clippy || ${#flags[@]} -gt 0 ]] || return 0
  text="#!/bin/sh
exec $([[ $cmd != clippy ]] || printf '%q ' "$sysroot/bin/clippy-driver")\"\$@\"$( ((!${#flags[@]})) || printf ' %q' "${flags[@]}")"
  local f
  f=$cache/wrap/$cmd-$(echo "$text" | cksum | cut -d' ' -f1)
  [[ -x $f ]] || { echo "$text" >"$f.$BASHPID" && chmod +x "$f.$BASHPID" && mv "$f.$BASHPID" "$f"; }
  echo "$f"
}

one() {
  local t=$1 log=$cache/log/$1.$cmd.log note='' w args=()
  if ! choose "$t" 2>"$log"; then
    echo "$t: FAILED"
    { echo "cross-check: no std and no source of one for $t" && cat "$log"; } >&2
    return 1
  fi
  w=$(wrapper)
  local -a env=(CARGO_TERM_COLOR=never CARGO_INCREMENTAL=0 CARGO_PROFILE_DEV_DEBUG=0
    CARGO_PROFILE_TEST_DEBUG=0 "RUSTC=$rustc" "CARGO=$cargo"
    "LD_LIBRARY_PATH=${lib}${LD_LIBRARY_PATH:+${lib:+:}$LD_LIBRARY_PATH}")
  [[ -z $w ]] || env+=("RUSTC_WORKSPACE_WRAPPER=$w")
  local v
  v=$(LD_LIBRARY_PATH=$lib "$rustc" -vV | cksum | cut -d' ' -f1)
  env+=("CARGO_TARGET_DIR=$cache/target-$v/$t")
  args=(check -q --workspace --all-targets --target "$t")
  if [[ $std == build ]]; then
    env+=(RUSTC_BOOTSTRAP=1)
    args+=(-Zbuild-std)
  fi
  [[ -z $rust ]] || note=" ($rust)"
  if env -u RUSTUP_TOOLCHAIN "${env[@]}" "$cargo" "${args[@]}" ${extra[@]+"${extra[@]}"} >"$log" 2>&1; then
    echo "$t$note: ok"
    # Warnings are shown, but do not fail.
    ! grep -q '^warning' "$log" || sed "s/^/$t: /" "$log" >&2
  else
    echo "$t$note: FAILED"
    sed "s/^/$t: /" "$log" >&2
    return 1
  fi
}

own_sysroot=$(rustc --print sysroot 2>/dev/null) || own_sysroot=
# Before the jobs start, and once: what any of them would install.
failed=0 running=0
for t in "${list[@]}"; do
  choose "$t" || failed=1
done
[[ -z $prepare ]] || exit "$failed"
for t in "${list[@]}"; do
  if ((running >= jobs)); then
    wait -n || failed=1
    running=$((running - 1))
  fi
  one "$t" </dev/null &
  running=$((running + 1))
done
while ((running)); do
  wait -n || failed=1
  running=$((running - 1))
done
exit "$failed"
