#!/usr/bin/env bash
# Instructions per operation of each cell, which repeat exactly: `make bench-callgrind [cells...]`.
#
# Each cell runs twice under callgrind, with COUNT and with twice COUNT operations; the difference,
# divided, leaves start-up out. Only the loop's own thread counts: the echo cells have their client on
# another one. Prints a Markdown table, with the bar of each cell beside it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
.ci/need valgrind=valgrind

binary=$(cargo bench ${CI:+--locked} --bench cells --no-run --message-format=json 2>/dev/null |
  sed -nE 's/.*"executable":"([^"]*cells-[^"]*)".*/\1/p' | tail -n 1)
[[ -x $binary ]] || {
  echo 'run.sh: the benchmark did not build; see: cargo bench --bench cells --no-run' >&2
  exit 1
}
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

# The instructions of the main thread in one run.
instructions() {
  rm -f "$out"/cg*
  valgrind --tool=callgrind --separate-threads=yes --callgrind-out-file="$out/cg" \
    "$binary" "$1" "$2" >/dev/null 2>"$out/log" || { cat "$out/log" >&2 && return 1; }
  sed -nE 's/^(totals|summary): ([0-9]+).*/\2/p' "$out/cg-01" | head -n 1
}

row() {
  local name=$1 count=$2 bar=$3 once twice
  ((${#wanted[@]} == 0)) || [[ " ${wanted[*]} " == *" $name "* ]] || return 0
  once=$(instructions "$name" "$count")
  twice=$(instructions "$name" $((2 * count)))
  awk -v name="$name" -v n="$count" -v a="$once" -v b="$twice" -v bar="$bar" \
    'BEGIN { m = (b - a) / n; printf "| %s | %.0f | %d | %s |\n", name, m, bar, m <= bar ? "met" : sprintf("missed by %.0f", m - bar) }'
}

wanted=("$@")
echo '| cell | instructions | bar | |'
echo '|---|--:|--:|---|'
row spawn-batch 100000 260
row spawn-all 100000 280
row scope-1000 100000 330
row yield 100000 120
row yield-wake 100000 120
row ping-bounded 100000 820
row ping-oneshot 100000 650
row ping-unbounded 100000 670
row lock 100000 135
row lock-hand-off 100000 680
row timer-cancel 100000 240
row timer-roll 100000 150
row timeout-ready 100000 48
row timeout-pending 100000 240
row echo-1 4000 480
row echo-50 4000 360
