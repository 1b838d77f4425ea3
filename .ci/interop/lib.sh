# What the scripts of this folder share; they begin with `. "$(dirname "$0")/lib.sh"`.
set -euo pipefail
: "${EXAMPLES:?run.sh says where the examples are}" "${BINS:?run.sh says where the programs of docs/interop are}"

work=$(mktemp -d)
pids=()

# Ends what was started, and nothing else.
clean_up() {
  local pid
  for pid in "${pids[@]}"; do
    kill "$pid" 2>/dev/null || true
  done
  wait 2>/dev/null || true
  rm -rf "$work"
}
trap clean_up EXIT

# `start NAME COMMAND...`: runs it in the background, its output in $work/NAME.
start() {
  local name=$1
  shift
  "$@" >"$work/$name" 2>"$work/$name.errors" &
  pids+=($!)
}

# `until_true COMMAND...`: asks again for at most half a minute; nobody tells a script when a server listens.
until_true() {
  local round
  for ((round = 0; round < 600; round++)); do
    "$@" >/dev/null 2>&1 && return 0
    sleep 0.05
  done
  echo "never came true: $*" >&2
  tail -n 20 "$work"/* >&2 || true
  return 1
}

# `printed NAME PATTERN`: waits until a program has printed a line like it, and gives the last word of that line.
printed() {
  until_true grep -q -- "$2" "$work/$1"
  grep -m 1 -- "$2" "$work/$1" | sed 's/.* //'
}

# `same WHAT HAVE WANT`
same() {
  if [[ $2 == "$3" ]]; then
    echo "ok: $1"
    return
  fi
  printf 'NOT: %s\n--- have\n%s\n--- want\n%s\n' "$1" "$2" "$3" >&2
  exit 1
}

# `has WHAT TEXT PATTERN`: a line of the text is like the pattern.
has() {
  if grep -qE -- "$3" <<<"$2"; then
    echo "ok: $1"
    return
  fi
  printf 'NOT: %s\n--- no line like %s in\n%s\n' "$1" "$3" "$2" >&2
  exit 1
}

# `has_not WHAT TEXT PATTERN`
has_not() {
  if grep -qE -- "$3" <<<"$2"; then
    printf 'NOT: %s\n--- a line like %s in\n%s\n' "$1" "$3" "$2" >&2
    exit 1
  fi
  echo "ok: $1"
}
