#!/usr/bin/env bash
# GLib's main loop drives one of ours: sockets, timers and another thread inside, a timer of GLib's outside.
. "$(dirname "$0")/lib.sh"

timeout 20 "$BINS/embed_glib" >"$work/said"
diff - "$work/said" <<'SAID'
inside: echo, a sleep, a thread's word
outside: a timer, and a task of its: true
ticks: few
SAID
echo 'ok: a runtime in the main loop of GLib'
