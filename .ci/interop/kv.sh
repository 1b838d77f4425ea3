#!/usr/bin/env bash
# redis-cli and redis-benchmark against the example kv_server.
. "$(dirname "$0")/lib.sh"

start server "$EXAMPLES/kv_server" --listen 127.0.0.1:0
server=${pids[-1]}
address=$(printed server '^listening on ')
port=${address##*:}
cli() { timeout 20 redis-cli -p "$port" "$@"; }

# A dialogue, one connection.
have=$(cli <<'END'
PING
ECHO "two words"
SET a 1
INCR a
DECR a
GET a
SET a 2 NX
MSET x 1 y 2
EXISTS x y z
DEL x y z
RPUSH list a b c
LPUSH list z
LRANGE list 0 -1
LPOP list
RPOP list
LLEN list
BLPOP list 1
CONFIG GET save
END
)
want=$(printf '%s\n' PONG 'two words' OK 2 1 1 '' OK 2 2 3 4 z a b c z c 2 list a save '')
same 'a dialogue by redis-cli' "$have" "$want"
has 'a command that does not exist is answered' "$(cli FLY 2>&1)" "^ERR unknown command 'FLY'"
has 'INFO has its sections' "$(cli INFO)" '^# Server'

# Keys that end.
cli SET short life PX 2000 >/dev/null
same 'a key before its end' "$(cli GET short)" life
has 'PTTL counts down' "$(cli PTTL short)" '^[0-9]+$'
gone() { [[ $(cli GET short) == '' ]]; }
until_true gone
same 'TTL of a key that has ended' "$(cli TTL short)" -2
cli SET longer life >/dev/null
same 'EXPIRE' "$(cli EXPIRE longer 100)" 1
same 'TTL' "$(cli TTL longer)" 100

# Two clients wait for a list; the first to come is served first.
start first redis-cli -p "$port" BLPOP jobs 100
waiting() { (($(cli INFO | sed -n 's/^waiting:\([0-9]*\).*/\1/p') == $1)); }
until_true waiting 1
start second redis-cli -p "$port" BLPOP jobs 100
until_true waiting 2
same 'a push to those who wait' "$(cli RPUSH jobs one two)" 2
until_true grep -q two "$work/second"
same 'BLPOP serves who came first' "$(tr '\n' ' ' <"$work/first")" 'jobs one '
same 'and then the second' "$(tr '\n' ' ' <"$work/second")" 'jobs two '
same 'BLPOP ends in time' "$(cli BLPOP nothing 0.1)" ''

# Messages.
start reader redis-cli -p "$port" SUBSCRIBE news
until_true grep -q subscribe "$work/reader"
same 'PUBLISH counts who listens' "$(cli PUBLISH news spring)" 1
until_true grep -q spring "$work/reader"
echo 'ok: the message came'

# A burst by `redis-cli --pipe`, which counts the answers.
have=$(for ((index = 0; index < 10000; index++)); do printf 'SET key:%d %d\r\n' "$index" "$index"; done | cli --pipe)
has 'ten thousand in one stream' "$have" 'errors: 0, replies: 10000'

# Under load: each benchmark to its end, and no error.
for pipeline in 1 16; do
  have=$(timeout 100 redis-benchmark -p "$port" -n 20000 -c 50 -P "$pipeline" -q --csv \
    -t ping,set,get,incr,lpush,lpop,mset 2>&1)
  has_not "redis-benchmark -P $pipeline sees no error" "$have" '[Ee]rror|WARN'
  same "redis-benchmark -P $pipeline ends" "$(grep -cE '^"(PING_|SET|GET|INCR|LPUSH|LPOP|MSET)' <<<"$have")" 8
  awk -F'"' -v depth="$pipeline" '/^"(PING_|SET|GET|INCR|LPUSH|LPOP|MSET)/ { printf "    -P %s %s: %s a second\n", depth, $2, $4 }' <<<"$have"
done
same 'and it still answers' "$(cli PING)" PONG

# An end in order, while one client waits.
start last redis-cli -p "$port" BLPOP jobs 0
last=${pids[-1]}
until_true waiting 1
cli SHUTDOWN
wait "$server"
has 'it has drained' "$(cat "$work/server")" '^drained$'
status=0
wait "$last" || status=$?
same 'who waited was answered' "$status" 0
same 'nothing on standard error' "$(cat "$work/server.errors")" ''
