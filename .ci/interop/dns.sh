#!/usr/bin/env bash
# dig against our DNS server, over UDP and TCP; our resolver against it, and against dnsmasq.
. "$(dirname "$0")/lib.sh"

start server "$EXAMPLES/dns_server" --listen 127.0.0.1:0
address=$(printed server '^listening on ')
ask() { timeout 20 dig @"${address%:*}" -p "${address##*:}" +tries=2 +time=5 "$@"; }

same 'dig, A' "$(ask +short host.mainspring.test A)" 192.0.2.1
same 'dig, AAAA' "$(ask +short host.mainspring.test AAAA)" 2001:db8::1
same 'dig, a chain of names' "$(ask +short WEB.mainspring.test A)" $'www.mainspring.test.\nhost.mainspring.test.\n192.0.2.1'
same 'dig, CNAME' "$(ask +short www.mainspring.test CNAME)" host.mainspring.test.
same 'dig, TXT' "$(ask +short text.mainspring.test TXT)" '"tick" "tock"'
same 'dig, PTR' "$(ask +short -x 192.0.2.1)" host.mainspring.test.
same 'dig, PTR of IPv6' "$(ask +short -x 2001:db8::1)" host.mainspring.test.
has 'dig, SOA' "$(ask +short mainspring.test SOA)" '^ns.mainspring.test. admin.mainspring.test. 1 3600 600 86400 60$'
same 'dig over TCP' "$(ask +tcp +short host.mainspring.test A)" 192.0.2.1
have=$(ask host.mainspring.test A)
has 'dig sees who is responsible' "$have" 'flags: qr aa rd;'
has 'dig sees our EDNS' "$have" 'udp: 1232'
has_not 'dig has nothing to complain of' "$have" '(WARNING: [^r]|Malformed|extra bytes)'
has 'dig, no such name' "$(ask lost.mainspring.test)" 'status: NXDOMAIN'
has 'dig, no such record' "$(ask host.mainspring.test TXT)" 'status: NOERROR'
has 'dig, not our zone' "$(ask example.com)" 'status: REFUSED'
have=$(ask +ignore big.mainspring.test A)
has 'dig, a big answer is truncated' "$have" 'flags: qr aa tc rd'
has 'dig, and fits into a datagram' "$have" 'MSG SIZE  rcvd: 1232$'
has 'dig without EDNS, it fits into 512 bytes' "$(ask +noedns +ignore big.mainspring.test A)" 'MSG SIZE  rcvd: 501$'
same 'dig, and is whole over TCP' "$(ask +short big.mainspring.test A | grep -c '^192')" 256
same 'dig, several questions on one connection' \
  "$(ask +tcp +keepopen +short host.mainspring.test A www.mainspring.test CNAME | tr '\n' ' ')" '192.0.2.1 host.mainspring.test. '

resolve() { timeout 30 "$EXAMPLES/dns_server" --ask "$@"; }
same 'our resolver and our server' "$(resolve "$address" web.mainspring.test)" 'web.mainspring.test: 2001:db8::1 192.0.2.1 (2 in all)'
same 'our resolver, over TCP after the truncation' "$(resolve "$address" big.mainspring.test | sed 's/.*(//')" '256 in all)'

# dnsmasq, as somebody else's server: a hosts file, and our own server above it.
dnsmasq=$(PATH=$PATH:/usr/sbin command -v dnsmasq)
printf '192.0.2.7 printer.office.test\n2001:db8::7 printer.office.test\n192.0.2.8 scanner.office.test\n' >"$work/hosts"
for ((octet = 0; octet < 250; octet++)); do
  echo "198.51.100.$octet many.office.test"
done >>"$work/hosts"
# A port that is free now: the next program may be quicker, so it is tried again.
for ((round = 0; round < 10; round++)); do
  port=$((20000 + RANDOM % 10000))
  start dnsmasq "$dnsmasq" --keep-in-foreground --no-resolv --no-hosts --addn-hosts="$work/hosts" --conf-file=/dev/null \
    --pid-file="$work/dnsmasq.pid" --user="$(id -un)" --listen-address=127.0.0.1 --bind-interfaces --port="$port" \
    --cname=copier.office.test,scanner.office.test --txt-record=text.office.test,tick --local=/office.test/ \
    --server=/mainspring.test/"${address%:*}#${address##*:}"
  if until_true dig @127.0.0.1 -p "$port" +tries=1 +time=1 +short printer.office.test && kill -0 "${pids[-1]}"; then
    break
  fi
done
theirs=127.0.0.1:$port
same 'dnsmasq, both families' "$(resolve "$theirs" printer.office.test)" 'printer.office.test: 2001:db8::7 192.0.2.7 (2 in all)'
same 'dnsmasq, a chain of names' "$(resolve "$theirs" copier.office.test)" 'copier.office.test: 192.0.2.8 (1 in all)'
same 'dnsmasq, truncated and again over TCP' "$(resolve "$theirs" many.office.test | sed 's/.*(//')" '250 in all)'
same 'dnsmasq, the names of addresses' "$(resolve "$theirs" 192.0.2.7 2001:db8::7)" \
  $'192.0.2.7: printer.office.test\n2001:db8::7: printer.office.test'
has 'dnsmasq, no such name' "$(resolve "$theirs" lost.office.test)" 'no such name: .*said NXDOMAIN'
has 'dnsmasq, no such record' "$(resolve "$theirs" text.office.test)" 'the name has no such record: '
has 'dnsmasq, nobody knows' "$(resolve "$theirs" example.com)" 'no answer: .*said REFUSED'
same 'dnsmasq asks our server' "$(resolve "$theirs" web.mainspring.test)" 'web.mainspring.test: 2001:db8::1 192.0.2.1 (2 in all)'
same 'dnsmasq asks our server over TCP' "$(resolve "$theirs" big.mainspring.test | sed 's/.*(//')" '256 in all)'
