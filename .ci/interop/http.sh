#!/usr/bin/env bash
# curl, wrk, ab and h2load against the example http_server.
. "$(dirname "$0")/lib.sh"

mkdir -p "$work/root/sub"
printf 'hello, world\n' >"$work/root/hello.txt"
printf '<p>index</p>\n' >"$work/root/sub/index.html"
head -c 5000000 /dev/urandom >"$work/root/large"
printf 'secret\n' >"$work/secret"

start server "$EXAMPLES/http_server" --listen 127.0.0.1:0 --root "$work/root" --idle 2 --head 1
address=$(printed server '^listening on ')
url=http://$address
get() { timeout 30 curl --silent --show-error --max-time 20 "$@"; }
# A conversation in bytes; the answer, or as much of it as comes before the end or three seconds.
talk() { timeout 10 ncat -w 3 "${address%:*}" "${address##*:}" 2>/dev/null || true; }
status() { get -o /dev/null -w '%{http_code}' "$@"; }

# Files, whole and in parts.
same 'a small file' "$(get "$url/hello.txt")" 'hello, world'
same 'HTTP/1.0' "$(get --http1.0 "$url/hello.txt")" 'hello, world'
same 'the index of a folder, an escape, a query' "$(get "$url/s%75b/?a=b")" '<p>index</p>'
get "$url/large" | cmp - "$work/root/large"
same 'a part' "$(get -r 0-4 "$url/hello.txt")" hello
same 'the last bytes' "$(get -r -6 "$url/hello.txt")" world
get -r 1000000-3999999 "$url/large" | cmp - <(tail -c +1000001 "$work/root/large" | head -c 3000000)
head -c 1234567 "$work/root/large" >"$work/half"
get -C - -o "$work/half" "$url/large"
cmp "$work/half" "$work/root/large"
echo 'ok: a large file, a part of it, and the rest of one that was broken off'
has '206 says which part' "$(get -D - -o /dev/null -r 5-9 "$url/large")" '^Content-Range: bytes 5-9/5000000'
has '416 says how much there is' "$(get -D - -o /dev/null -r 5000000- "$url/large")" '^Content-Range: bytes \*/5000000'
same 'a range that nothing has' "$(status -r 5000000- "$url/large")" 416
has 'HEAD has a length and no body' "$(get -I "$url/large")" '^Content-Length: 5000000'

# What is refused.
same 'a file that is not there' "$(status "$url/absent")" 404
same 'another method' "$(status -X DELETE "$url/hello.txt")" 405
same 'a way out of the root' "$(status --path-as-is "$url/../secret")" 400
same 'the same in disguise' "$(status --path-as-is "$url/%2e%2e/secret")" 400
same 'a long head' "$(status -H "X: $(printf '%09000d' 1)" "$url/hello.txt")" 431
same 'a long body' "$(head -c 9000000 /dev/zero | status -T - -X POST "$url/echo")" 413
same 'an expectation' "$(status -H 'Expect: the worst' "$url/hello.txt")" 417
for lines in 'Content-Length: 5\r\nTransfer-Encoding: chunked' 'Content-Length: 5\r\nContent-Length: 6' 'A: b\r\n folded: c' \
  'Content-Length: 5,5' 'A : b' 'A: b\rB: c' 'A: b\nB: c'; do
  have=$(printf "POST /echo HTTP/1.1\r\nHost: x\r\n$lines\r\n\r\n5\r\nhello\r\n0\r\n\r\n" | talk)
  has "refused: $lines" "$have" '^HTTP/1.1 400'
  same 'once' "$(grep -c '^HTTP/' <<<"$have")" 1
done

# Bodies.
head -c 3000000 "$work/root/large" >"$work/body"
get --data-binary "@$work/body" "$url/echo" | cmp - "$work/body"
get -T - -X POST "$url/echo" <"$work/body" | cmp - "$work/body"
get -H 'Expect: 100-continue' -T "$work/body" "$url/echo" | cmp - "$work/body"
echo 'ok: a body with a length, in chunks, and after 100 Continue'
have=$(get -v -H 'Expect: 100-continue' -H 'Transfer-Encoding: chunked' -T "$work/body" "$url/echo" 2>&1 >"$work/back")
has 'it was told to go on' "$have" '^< HTTP/1.1 100 Continue'
cmp "$work/back" "$work/body"
have=$(get -v -H 'Expect: 100-continue' -H 'Content-Length: 9000000' -T "$work/root/large" "$url/echo" 2>&1 || true)
has_not 'it was not told to go on where it may not' "$have" '^< HTTP/1.1 100'

# Connections.
same 'a connection is kept' "$(get -o /dev/null -o /dev/null -o /dev/null -w '%{num_connects} ' "$url/hello.txt" "$url/large" "$url/absent")" '1 0 0 '
have=$(printf 'GET /hello.txt HTTP/1.1\r\nHost: x\r\n\r\n%.0s' 1 2 3 4 5 | talk)
same 'five requests at once have five answers' "$(grep -c 'HTTP/1.1 200' <<<"$have")" 5
exec 3<>"/dev/tcp/${address%:*}/${address##*:}"
printf 'GET /hello.txt HTTP/1.1\r\nHost: x\r\n' >&3
has 'a head that never ends' "$(timeout 8 head -n 1 <&3)" '^HTTP/1.1 408'
exec 3<>"/dev/tcp/${address%:*}/${address##*:}"
same 'a connection that says nothing is closed' "$(timeout 8 cat <&3; echo $?)" 0
exec 3>&-

# Under load.
for path in hello.txt large; do
  have=$(timeout 60 wrk -t 1 -c 8 -d 2 --timeout 20s "$url/$path" 2>&1)
  has "wrk, $path" "$have" 'requests in'
  has_not 'wrk sees no error' "$have" 'Socket errors|Non-2xx'
  grep 'Requests/sec' <<<"$have"
done
have=$(timeout 60 ab -q -n 5000 -c 32 -k "$url/hello.txt" 2>&1)
has 'ab, connections kept' "$have" '^Complete requests: +5000$'
has 'they were kept' "$have" '^Keep-Alive requests: +5000$'
has 'ab sees no failure' "$have" '^Failed requests: +0$'
have=$(timeout 60 ab -q -n 2000 -c 32 "$url/hello.txt" 2>&1)
has 'ab, a connection for each' "$have" '^Complete requests: +2000$'
has 'ab sees no failure' "$have" '^Failed requests: +0$'
have=$(timeout 60 h2load --h1 -n 20000 -c 8 -m 16 "$url/hello.txt" 2>&1)
has 'h2load, pipelined' "$have" 'requests: 20000 total, 20000 started, 20000 done, 20000 succeeded, 0 failed, 0 errored'

# An end that loses nothing: a slow client gets the whole file, an idle one the end, and then the server is gone.
start draining "$EXAMPLES/http_server" --listen 127.0.0.1:0 --root "$work/root" --for 1
server=${pids[-1]}
url=http://$(printed draining '^listening on ')
get --limit-rate 2000000 "$url/large" | cmp - "$work/root/large"
wait "$server"
has 'it has drained' "$(cat "$work/draining")" '^drained$'
has_not 'nothing but words on standard error' "$(cat "$work"/*.errors)" 'panicked'
