#!/usr/bin/env bash
# socat and ncat against our sockets, and ours against theirs: half-closes both ways, Unix streams and datagrams,
# descriptors that are passed.
. "$(dirname "$0")/lib.sh"

start servers "$BINS/sockets" --gather 127.0.0.1:0 --greet 127.0.0.1:0 --gather-unix "$work/stream" \
  --datagrams "$work/datagrams" --files "$work/files"
gather=$(printed servers '^--gather on ')
greet=$(printed servers '^--greet on ')
printed servers '^--files on ' >"$work/path"
start echo "$EXAMPLES/echo_server" 127.0.0.1:0
echo=$(printed echo '^listening on ')
head -c 3000000 /dev/urandom >"$work/big"

# The client ends first, and the answer comes after that.
timeout 20 socat -t 10 - "TCP:$gather" <"$work/big" >"$work/back"
cmp "$work/big" "$work/back"
echo 'ok: socat ends its side, and then has the whole answer'
timeout 20 ncat "${gather%:*}" "${gather##*:}" <"$work/big" >"$work/back"
cmp "$work/big" "$work/back"
echo 'ok: ncat ends its side, and then has the whole answer'
timeout 20 socat -t 10 - "UNIX-CONNECT:$work/stream" <"$work/big" >"$work/back"
cmp "$work/big" "$work/back"
echo 'ok: the same over a Unix socket, by socat'
timeout 20 ncat -U "$work/stream" <"$work/big" >"$work/back"
cmp "$work/big" "$work/back"
echo 'ok: the same over a Unix socket, by ncat'
until_true bash -c "(( \$(grep -c '3000000 bytes, to the end' '$work/servers') == 4 ))"
echo 'ok: and the server saw four ends'

# The server ends first, and hears the client to its end.
mkfifo "$work/slow"
timeout 20 socat -t 10 - "TCP:$greet" <"$work/slow" >"$work/greeted" &
client=$!
exec 3>"$work/slow"
until_true grep -q 'go on' "$work/greeted"
cat "$work/big" >&3
exec 3>&-
wait "$client"
until_true grep -q '^greet: 3000000 bytes, to the end' "$work/servers"
echo 'ok: the server ends its side, and socat is heard to its end'

# Bytes that go both ways at once.
timeout 20 socat -t 10 - "TCP:$echo" <"$work/big" >"$work/back"
cmp "$work/big" "$work/back"
echo 'ok: echo_server and socat'

# Our client, their servers.
start theirs socat -d -d "TCP-LISTEN:0,bind=127.0.0.1,fork,reuseaddr" EXEC:cat
until_true grep -q 'listening on' "$work/theirs.errors"
address=$(sed -n 's/.*listening on .* \(127\.0\.0\.1:[0-9]*\).*/\1/p' "$work/theirs.errors" | head -n 1)
same "line_client and socat's echo" "$(timeout 20 "$EXAMPLES/line_client" "$address" one two)" $'one\ntwo'

# Datagrams. socat and ncat name their sockets, so the answer finds them; they wait for it, and then are ended.
mkfifo "$work/words"
socat - "UNIX-SENDTO:$work/datagrams,bind=$work/own" <"$work/words" >"$work/socat-datagrams" &
pids+=($!)
exec 3>"$work/words"
echo tick >&3
until_true grep -q tick "$work/socat-datagrams"
echo longer tock >&3
until_true grep -q 'longer tock' "$work/socat-datagrams"
exec 3>&-
until_true grep -q '^datagrams: 12 bytes' "$work/servers"
echo 'ok: Unix datagrams, by socat'
mkfifo "$work/more"
ncat --unixsock --udp "$work/datagrams" <"$work/more" >"$work/ncat-datagrams" &
pids+=($!)
exec 3>"$work/more"
echo spring >&3
until_true grep -q spring "$work/ncat-datagrams"
exec 3>&-
echo 'ok: Unix datagrams, by ncat'

# Descriptors, by Python: an open file goes there and comes back, and is the same file.
printf 'first line\nsecond line\n' >"$work/text"
have=$(timeout 20 python3 - "$work/files" "$work/text" <<'END'
import os, socket, sys
with socket.socket(socket.AF_UNIX) as stream, open(sys.argv[2]) as text:
    stream.connect(sys.argv[1])
    socket.send_fds(stream, [b"x"], [text.fileno()])
    line, fds, flags, address = socket.recv_fds(stream, 100, 1)
    print(line.decode().strip(), len(fds), os.fstat(fds[0]).st_ino == os.fstat(text.fileno()).st_ino)
END
)
same 'a descriptor goes to our server and comes back, by Python' "$have" 'first line 1 True'
