#!/usr/bin/env bash
# openssl s_client against rustls over mainspring, and our client against openssl s_server; how each of them ends.
. "$(dirname "$0")/lib.sh"

start server "$BINS/tls_server" 127.0.0.1:0 "$work/certificate.pem"
address=$(printed server '^listening on ')
client() {
  timeout 20 openssl s_client -quiet -no_ign_eof -connect "$address" -servername localhost -verify_return_error \
    -verify_hostname localhost -CAfile "$work/certificate.pem" "$@" 2>"$work/client.errors"
}

# One line, there and back, in both versions. The input stays open until the echo was read.
for version in tls1_2 tls1_3; do
  mkfifo "$work/in-$version"
  client "-$version" <"$work/in-$version" >"$work/out-$version" &
  client_pid=$!
  exec 3>"$work/in-$version"
  echo "tick $version" >&3
  until_true grep -q "tick $version" "$work/out-$version"
  exec 3>&-
  wait "$client_pid"
  echo "ok: openssl s_client -$version talks to rustls"
done
ended() { (($(grep -c "close_notify" "$work/server") == $1)); }
until_true ended 2
echo 'ok: s_client said close_notify, and the server took that for the end'

# A client that is killed says nothing; the server must not take that for an end.
mkfifo "$work/in-killed"
openssl s_client -quiet -connect "$address" -CAfile "$work/certificate.pem" <"$work/in-killed" >"$work/out-killed" 2>&1 &
client_pid=$!
exec 3>"$work/in-killed"
echo 'tock' >&3
until_true grep -q tock "$work/out-killed"
kill -KILL "$client_pid"
wait "$client_pid" 2>/dev/null || true
exec 3>&-
until_true grep -qE '^ended: (UnexpectedEof|ConnectionReset)' "$work/server"
has 'a connection that was cut is an error' "$(tail -n 1 "$work/server")" '^ended: (UnexpectedEof|ConnectionReset)'

# Who speaks no TLS is told so.
echo 'plain text' | timeout 5 ncat "${address%:*}" "${address##*:}" >"$work/plain" 2>/dev/null || true
until_true grep -q '^ended: InvalidData' "$work/server"
echo 'ok: plain text is refused'

# Our client against openssl's server, which turns each line round.
cat >"$work/openssl.cnf" <<'END'
[req]
distinguished_name = name
x509_extensions = leaf
prompt = no
[name]
CN = localhost
[leaf]
subjectAltName = DNS:localhost
basicConstraints = critical, CA:FALSE
END
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -config "$work/openssl.cnf" \
  -keyout "$work/key.pem" -out "$work/theirs.pem" 2>/dev/null
for version in tls1_2 tls1_3; do
  start "their-$version" openssl s_server -accept 127.0.0.1:0 -cert "$work/theirs.pem" -key "$work/key.pem" -rev "-$version"
  port=$(printed "their-$version" '^ACCEPT ')
  port=${port##*:}
  have=$(timeout 20 "$BINS/tls_client" "localhost:$port" "$work/theirs.pem" spring)
  has "our client talks to openssl s_server -$version" "$have" '^gnirps$'
  has 'both ends said close_notify' "$have" '^the peer said close_notify$'
done
if timeout 20 "$BINS/tls_client" "localhost:$port" "$work/certificate.pem" spring >"$work/untrusted" 2>&1; then
  echo 'NOT: a certificate that nobody signed was taken' >&2
  exit 1
fi
has 'a certificate that nobody signed is refused' "$(cat "$work/untrusted")" 'InvalidData|certificate'

# And a page over it, by hyper.
start pages openssl s_server -accept 127.0.0.1:0 -cert "$work/theirs.pem" -key "$work/key.pem" -www
port=$(printed pages '^ACCEPT ')
has 'our HTTP client reads a page of s_server -www' \
  "$(timeout 20 "$BINS/hyper_client" "https://localhost:${port##*:}/" --certificate "$work/theirs.pem" 2>&1)" '^200 '
