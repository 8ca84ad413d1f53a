#!/usr/bin/env bash
# What our checks cost, and how true their times are, beside Debian's blackbox_exporter:
#   tests/bench/run.sh checks|truth|soak|fleet|control [--no-install] [--keep DIR]
#     checks        CPU per check, checks per second and memory, by kind (2 min)
#     truth         reported times against true ones: idle, beside a CPU hog, at 80 % of capacity, in a fleet (4 min)
#     soak          a thousand HTTP checks at once, then 100,000 of all kinds: memory, descriptors (2 min)
#     fleet         100 to 50,000 checks in one daemon: lateness, processor time, memory (8 min)
#     control       the API: how soon 100 probes have a change, lists and snapshots of 10,000 checks (4 min)
#     --no-install  the packages are there already
#     --keep DIR    the configurations and logs stay in DIR
# Needs root and two cores: servers run on core 0, the program under test on core 1, all of them before
# whatever else runs here. Everything is in a network namespace of its own; a mount namespace puts a test CA
# into the system's trust store.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
build=$root/build/release
install=yes
dir=
[ $# -gt 0 ] || { sed -n '2,10s/^# \{0,1\}//p' "$0"; exit 2; }
what=$1
shift
while [ $# -gt 0 ]; do
    case $1 in
    --no-install) install=no ;;
    --keep) dir=$2; shift ;;
    *) sed -n '2,10s/^# \{0,1\}//p' "$0"; exit 2 ;;
    esac
    shift
done
case $what in checks | truth | soak | fleet | control) ;; *) sed -n '2,10s/^# \{0,1\}//p' "$0"; exit 2 ;; esac

if [ -z "${SONDE_BENCH_NAMESPACE:-}" ]; then
    if [ $install = yes ]; then
        "$root/packaging/install-packages.sh" build bench
        cmake -S "$root" -B "$build" -G Ninja -C "$root/packaging/cmake/variants/release.cmake" >/dev/null
        cmake --build "$build" --target bench sonde
    fi
    exec env SONDE_BENCH_NAMESPACE=yes unshare --mount --net -- "$0" "$what" --no-install ${dir:+--keep "$dir"}
fi

ip link set lo up
ulimit -n 8192

# Other sessions of this machine get what we leave: the kernel shares cores out by session first.
prefer() { # NICE
    { echo "$1" >/proc/self/autogroup; } 2>/dev/null || true
}
prefer -20

temporary=no
[ -n "$dir" ] || { dir=$(mktemp -d /tmp/sonde-bench.XXXXXX); temporary=yes; }
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
pids=()
stop() {
    trap - EXIT INT TERM
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
    wait 2>/dev/null || true
    prefer 0
    [ $temporary = no ] || rm -rf "$dir"
}
trap stop EXIT
trap 'stop; exit 130' INT TERM

next_port=19700
free_port() { # sets $1
    while (exec 3<>"/dev/tcp/127.0.0.1/$next_port") 2>/dev/null; do next_port=$((next_port + 1)); done
    printf -v "$1" %s "$next_port"
    next_port=$((next_port + 1))
}
for name in web_port tls_port far_port dns_port peer_port slow_port push_port status_port; do free_port $name; done
echo "$peer_port" >"$dir/peer.port"
echo "$slow_port" >"$dir/slow.port"
start() { # NAME COMMAND...
    local name=$1
    shift
    taskset -c 0 "$@" >"$dir/$name.log" 2>&1 &
    pids+=($!)
}

# A test CA, trusted by both programs as one of the system's.
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=Bench CA" \
    -addext basicConstraints=critical,CA:TRUE -keyout "$dir/ca.key" -out "$dir/ca.pem" 2>/dev/null
openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=bench" \
    -keyout "$dir/web.key" -out "$dir/web.csr" 2>/dev/null
openssl x509 -req -in "$dir/web.csr" -CA "$dir/ca.pem" -CAkey "$dir/ca.key" -CAcreateserial -days 2 \
    -extfile <(echo "subjectAltName=IP:127.0.0.1,$(printf 'IP:10.77.%d.2,' 1 2 3 4)DNS:www.bench.test") -out "$dir/web.pem" 2>/dev/null
cat /etc/ssl/certs/ca-certificates.crt "$dir/ca.pem" >"$dir/bundle.pem"
mount --bind "$dir/bundle.pem" /etc/ssl/certs/ca-certificates.crt

cat >"$dir/nginx.conf" <<CONF
daemon off;
worker_processes 1;
pid $dir/nginx.pid;
error_log $dir/nginx-error.log;
events { worker_connections 8192; }
http {
    access_log off;
    client_body_temp_path $dir/nginx-body;
    proxy_temp_path $dir/nginx-proxy;
    fastcgi_temp_path $dir/nginx-fastcgi;
    uwsgi_temp_path $dir/nginx-uwsgi;
    scgi_temp_path $dir/nginx-scgi;
    server {
        listen $web_port backlog=4096;
        location / { return 200 "$(head -c 1024 /dev/zero | tr '\0' x)"; }
    }
    server {
        listen 127.0.0.1:$tls_port ssl backlog=4096;
        ssl_certificate $dir/web.pem;
        ssl_certificate_key $dir/web.key;
        location / { return 200 "$(head -c 1024 /dev/zero | tr '\0' x)"; }
    }
    server { # takes every push and forgets it
        listen $push_port;
        client_max_body_size 16m;
        client_body_buffer_size 1m;
        location / { return 204; }
    }
    server { # one round trip; the default of this nginx is TLS 1.2, which has two
        listen $far_port ssl backlog=4096;
        ssl_protocols TLSv1.3;
        ssl_certificate $dir/web.pem;
        ssl_certificate_key $dir/web.key;
        location / { return 200 ok; }
    }
}
CONF
start nginx nginx -c "$dir/nginx.conf" -p "$dir"
mkdir -p "$dir/knot"
cat >"$dir/bench.test.zone" <<ZONE
\$TTL 300
@ SOA ns hostmaster 1 3600 600 86400 300
@ NS ns
ns A 127.0.0.1
www A 127.0.0.1
ZONE
cat >"$dir/knot.conf" <<CONF
server:
    rundir: "$dir/knot"
    listen: 127.0.0.1@$dns_port
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
database:
    storage: "$dir/knot"
zone:
  - domain: bench.test
    storage: "$dir"
    file: bench.test.zone
CONF
start knot knotd -c "$dir/knot.conf"

delays=(1000 5000 20000 100000) # microseconds
cat >"$dir/blackbox.yml" <<CONF
modules:
$(for delay in "${delays[@]}"; do
    echo "  d$delay: {prober: dns, timeout: 3s, dns: {preferred_ip_protocol: ip4, transport_protocol: udp, query_name: d$delay.bench.test, query_type: A}}"
done)
  http: {prober: http, timeout: 3s, http: {preferred_ip_protocol: ip4}}
  https: {prober: http, timeout: 3s, http: {preferred_ip_protocol: ip4}}
  https_bundle: {prober: http, timeout: 3s, http: {preferred_ip_protocol: ip4, tls_config: {ca_file: $dir/bundle.pem}}}
  tcp: {prober: tcp, timeout: 3s, tcp: {preferred_ip_protocol: ip4}}
  tcp_tls: {prober: tcp, timeout: 3s, tcp: {preferred_ip_protocol: ip4, tls: true, tls_config: {ca_file: $dir/ca.pem}}}
  dns: {prober: dns, timeout: 3s, dns: {preferred_ip_protocol: ip4, transport_protocol: udp, query_name: www.bench.test, query_type: A}}
  ping: {prober: icmp, timeout: 3s, icmp: {preferred_ip_protocol: ip4}}
CONF
ca=$(base64 -w0 <"$dir/ca.pem")
kind() { # NAME TARGET SETTINGS
    echo "{\"target\": \"$2\", \"settings\": $3}" >"$dir/$1.json"
    echo "/probe?module=$1&target=${4:-$2}" >"$dir/$1.path"
}
kind http "http://127.0.0.1:$web_port/" '{"http": {}}'
kind https "https://127.0.0.1:$tls_port/" '{"http": {}}'
kind https_bundle "https://127.0.0.1:$tls_port/" "{\"http\": {\"tlsConfig\": {\"caCert\": \"$(base64 -w0 <"$dir/bundle.pem")\"}}}"
kind tcp "127.0.0.1:$web_port" '{"tcp": {}}'
kind tcp_tls "127.0.0.1:$tls_port" "{\"tcp\": {\"tls\": true, \"tlsConfig\": {\"caCert\": \"$ca\"}}}"
kind dns www.bench.test "{\"dns\": {\"server\": \"127.0.0.1\", \"port\": $dns_port, \"recordType\": \"A\", \"protocol\": \"UDP\"}}" "127.0.0.1:$dns_port"
kind ping 127.0.0.1 '{"ping": {"packetCount": 1}}'

# The load beside which times are judged, and what is measured: files that bench_truth reads.
for name in tcp_tls http dns http tcp dns ping; do
    cat "$dir/$name.json" >&3
    cat "$dir/$name.path" >&4
done 3>"$dir/mix.json" 4>"$dir/mix.paths"
path=0 # of the delay line: 10.77.N.2
for delay in "${delays[@]}"; do
    slow=127.0.0.1:$slow_port
    path=$((path + 1))
    far=10.77.$path.2
    for kind in http dns tcp tls ping; do echo "$kind $delay"; done >&3
    cat >&4 <<LINES
processing {"target": "http://$slow/d$delay", "settings": {"http": {}}}
request {"target": "d$delay.bench.test", "settings": {"dns": {"server": "127.0.0.1", "port": $slow_port, "recordType": "A", "protocol": "UDP"}}}
connect {"target": "$far:$web_port", "settings": {"tcp": {}}}
tls {"target": "https://$far:$far_port/", "settings": {"http": {}}}
rtt {"target": "$far", "settings": {"ping": {"packetCount": 1}}}
LINES
    cat >&5 <<LINES
/probe?module=http&target=http://$slow/d$delay
/probe?module=d$delay&target=$slow
/probe?module=http&target=http://$far:$web_port/
/probe?module=https&target=https://$far:$far_port/
/probe?module=ping&target=$far
LINES
done 3>"$dir/truth.cells" 4>"$dir/truth.measure" 5>"$dir/truth.paths"

# Checks that go on together for a second, and one of each kind.
echo "processing {\"target\": \"http://127.0.0.1:$slow_port/d1000000\", \"timeout\": 10000, \"settings\": {\"http\": {}}}" >"$dir/soak.measure"
cat "$dir"/{http,https,dns,tcp,tcp_tls,ping,http,dns}.json >"$dir/soak.json"

# A fleet: targets in turn, as members of a check.
for name in http dns tcp ping; do
    sed 's/^{//; s/}$//' "$dir/$name.json"
done >"$dir/fleet.checks"
echo "http://127.0.0.1:$push_port/" >"$dir/fleet.push"
echo "$status_port" >"$dir/fleet.port"

# The API: two replicas with three ports each, and a database in PostgreSQL for each part. It flushes to disk, as it should.
start_postgresql() {
    local programs url
    free_port postgresql_port
    programs=$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -1)
    chmod 755 "$dir"
    install -d -o postgres -g postgres -m 700 "$dir/postgresql"
    setpriv --reuid=postgres --regid=postgres --clear-groups "$programs/initdb" -D "$dir/postgresql" -U bench -A trust >"$dir/initdb.log"
    start postgresql setpriv --pdeathsig QUIT --reuid=postgres --regid=postgres --clear-groups "$programs/postgres" -D "$dir/postgresql" \
        -c port="$postgresql_port" -c listen_addresses=127.0.0.1 -c unix_socket_directories=
    url=postgresql://bench@127.0.0.1:$postgresql_port
    until "$programs/pg_isready" -q -h 127.0.0.1 -p "$postgresql_port"; do sleep 0.1; done
    for number in 1 2 3; do
        "$programs/createdb" -h 127.0.0.1 -p "$postgresql_port" -U bench "bench$number"
        echo "$url/bench$number"
    done >"$dir/control.databases"
    for number in 1 2 3 4 5 6; do
        free_port control_port
        echo "$control_port"
    done >"$dir/control.ports"
}
[ "$what" != control ] || start_postgresql

printf '%s, %s, %s\n' "$(uname -r)" "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1)" "$(date -uIs)"
printf 'ours: %s; peer: %s; %s roots\n' "$(git -C "$root" describe --always --dirty 2>/dev/null || echo unknown)" \
    "$(dpkg-query -W -f '${Package} ${Version}' prometheus-blackbox-exporter)" "$(grep -c BEGIN "$dir/bundle.pem")"
program=$build/tests/bench_agent
case $what in fleet | control) program=$build/sonde ;; esac
"$build/tests/bench_$what" "$program" "$dir"
