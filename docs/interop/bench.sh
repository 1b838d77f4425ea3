#!/usr/bin/env bash
# hyper's hello over mainspring beside the same over tokio, under wrk: server CPU time per request, one run, rounds in
# turns. `make bench-hyper`, or `docs/interop/bench.sh ROUNDS SECONDS CONNECTIONS` (7 2 64).
#
# Both are one thread, so the kernel's account of that thread (/proc/PID/schedstat) is the server's CPU time. wrk has
# the other core; on a machine with one, or with other work, read the ratio and not the times.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
rounds=${1:-7} seconds=${2:-2} connections=${3:-64}
[[ -e /proc/self/schedstat ]] || {
  echo 'bench.sh: needs /proc/PID/schedstat, which is Linux' >&2
  exit 1
}
.ci/need wrk=wrk >&2

target=$PWD/${CARGO_TARGET_DIR:-target}
[[ ${CARGO_TARGET_DIR:-} != /* ]] || target=$CARGO_TARGET_DIR
cargo build --quiet --profile measure ${CI:+--locked} --manifest-path docs/interop/Cargo.toml \
  --target-dir "$target/interop" --features measure --bin hello_mainspring --bin hello_tokio

work=$(mktemp -d)
pids=()
clean_up() {
  kill "${pids[@]}" 2>/dev/null || true
  wait 2>/dev/null || true
  rm -rf "$work"
}
trap clean_up EXIT

names=(mainspring tokio)
declare -A pid_of url_of
for name in "${names[@]}"; do
  "$target/interop/measure/hello_$name" >"$work/$name" &
  pids+=($!)
  pid_of[$name]=$!
  until grep -q listening "$work/$name"; do sleep 0.05; done
  url_of[$name]=http://$(sed 's/.* //' "$work/$name")/
done

cpu_ns() { cut -d' ' -f1 "/proc/${pid_of[$1]}/schedstat"; }

# One round: nanoseconds of the server's CPU time per request, and requests a second.
measure() {
  local name=$1 before after count
  before=$(cpu_ns "$name")
  wrk -t 1 -c "$connections" -d "$seconds" "${url_of[$name]}" >"$work/wrk"
  after=$(cpu_ns "$name")
  ! grep -E 'Socket errors|Non-2xx' "$work/wrk" >&2 || exit 1
  count=$(sed -nE 's/^ *([0-9]+) requests in.*/\1/p' "$work/wrk")
  echo "$(((after - before) / count)) $((count / seconds))" >>"$work/$name.rounds"
}

for name in "${names[@]}"; do measure "$name"; done
rm "$work"/*.rounds # warm now
for ((round = 0; round < rounds; round++)); do
  # Whoever goes first in one round goes second in the next.
  for ((turn = 0; turn < 2; turn++)); do
    measure "${names[(round + turn) % 2]}"
  done
done

median() { cut -d' ' -f"$2" "$work/$1.rounds" | sort -n | sed -n "$(((rounds + 1) / 2))p"; }
printf 'hyper hello, %s connections, %s rounds of %s s, medians\n' "$connections" "$rounds" "$seconds"
for name in "${names[@]}"; do
  printf '%-12s %6s ns of CPU time per request   %7s requests a second\n' "$name" "$(median "$name" 1)" "$(median "$name" 2)"
done
paste "$work/mainspring.rounds" "$work/tokio.rounds" | awk '{ print $1 / $3 }' | sort -n >"$work/ratios"
awk '{ ratio[NR] = $1 } END {
  printf "ratio of CPU time, mainspring to tokio, round by round: median %.3f, from %.3f to %.3f\n",
    ratio[int((NR + 1) / 2)], ratio[1], ratio[NR]
}' "$work/ratios"
