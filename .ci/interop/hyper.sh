#!/usr/bin/env bash
# curl, wrk, ab and h2load against hyper over mainspring; hyper's client over mainspring against servers of others.
. "$(dirname "$0")/lib.sh"

start server "$BINS/hyper_server" --http1 127.0.0.1:0 --http2 127.0.0.1:0 --tls 127.0.0.1:0 --certificate "$work/certificate.pem"
http1=http://$(printed server '^http1 on ')
http2=http://$(printed server '^http2 on ')
tls=$(printed server '^tls on ')
https=https://localhost:${tls##*:}
get() { timeout 30 curl --silent --show-error --fail --max-time 20 --cacert "$work/certificate.pem" "$@"; }

version='%{http_version}'
same 'curl, HTTP/1.1' "$(get -w "$version" "$http1/")" $'hello\n1.1'
same 'curl, HTTP/1.0' "$(get --http1.0 "$http1/")" hello
same 'curl, HTTP/2' "$(get --http2-prior-knowledge -w "$version" "$http2/")" $'hello\n2'
same 'curl, HTTP/2 inside TLS' "$(get -w "$version" "$https/")" $'hello\n2'
same 'curl, HTTP/1.1 inside TLS' "$(get --http1.1 -w "$version" "$https/")" $'hello\n1.1'
same 'a path that is not there' "$(timeout 10 curl -s -o /dev/null -w '%{http_code}' "$http1/nowhere")" 404

# A big body, there and back; chunked as well, because a pipe has no length.
head -c 8000000 /dev/urandom >"$work/big"
for url in "$http1" "$http2" "$https"; do
  prior=()
  [[ $url != "$http2" ]] || prior=(--http2-prior-knowledge)
  get "${prior[@]}" --data-binary "@$work/big" "$url/echo" >"$work/back"
  cmp "$work/big" "$work/back"
  get "${prior[@]}" -H 'Expect:' -T - "$url/echo" -X POST <"$work/big" >"$work/back"
  cmp "$work/big" "$work/back"
done
echo 'ok: 8 MB to each and back, with a length and without'

# One connection for several requests.
same 'curl keeps a connection' "$(get -o /dev/null -o /dev/null -w '%{num_connects} ' "$http1/" "$http1/")" '1 0 '

# Under load.
have=$(timeout 60 wrk -t 1 -c 64 -d 2 "$http1/" 2>&1)
has 'wrk has its answers' "$have" 'requests in'
has_not 'wrk sees no error' "$have" 'Socket errors|Non-2xx'
grep 'Requests/sec' <<<"$have"
have=$(timeout 60 ab -q -n 5000 -c 32 -k "$http1/" 2>&1)
has 'ab, connections kept' "$have" '^Complete requests: +5000$'
has 'ab sees no failure' "$have" '^Failed requests: +0$'
have=$(timeout 60 ab -q -n 2000 -c 32 "$http1/" 2>&1)
has 'ab, a connection for each' "$have" '^Complete requests: +2000$'
has 'ab sees no failure' "$have" '^Failed requests: +0$'
for url in "$http2" "$https"; do
  have=$(timeout 60 h2load -n 20000 -c 8 -m 32 "$url/" 2>&1)
  has "h2load, ${url%%:*}" "$have" 'requests: 20000 total, 20000 started, 20000 done, 20000 succeeded, 0 failed, 0 errored'
done
has 'one counter for all of them' "$(get "$http1/count")" '^[0-9]{5,}$'

# Our client.
client() { timeout 20 "$BINS/hyper_client" "$@"; }
same 'our client and our server' "$(client "$http1/echo" 1000000)" $'200 OK\n1000000 bytes'
has 'our client inside TLS' "$(client "$https/" --certificate "$work/certificate.pem")" '^hello$'
mkdir "$work/files"
head -c 300000 /dev/urandom | base64 >"$work/files/text"
start python python3 -u -m http.server --bind 127.0.0.1 --directory "$work/files" 0
until_true grep -q 'port ' "$work/python"
port=$(sed -nE 's/.* port ([0-9]+).*/\1/p' "$work/python")
client "http://127.0.0.1:$port/text" >"$work/fetched"
same "our client and Python's server" "$(sed '1d;$d' "$work/fetched" | cksum)" "$(cksum <"$work/files/text")"
