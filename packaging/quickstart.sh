#!/usr/bin/env bash
# Sonde in five minutes: installs, builds, starts everything on this machine and shows it working.
#   packaging/quickstart.sh [--no-install] [--dir DIR] [--once]
#     --no-install  the packages and a release build are there already
#     --dir DIR     where the demo keeps its files (default: a new folder under /tmp)
#     --once        stop after the table; the exit status tells whether it was right
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
install=yes
once=no
dir=
while [ $# -gt 0 ]; do
    case $1 in
    --no-install) install=no ;;
    --dir) dir=$2; shift ;;
    --once) once=yes ;;
    *) sed -n '2,6s/^# \{0,1\}//p' "$0"; exit 2 ;;
    esac
    shift
done

say() { printf '\n== %s\n' "$*"; }
began=$SECONDS
if [ $install = yes ]; then
    say "Installing packages"
    "$root/packaging/install-packages.sh" build demo
fi
if [ $install = yes ] || [ ! -x "$root/build/release/sonde" ]; then
    say "Building the release binary (a few minutes the first time)"
    cmake -S "$root" -B "$root/build/release" -G Ninja -C "$root/packaging/cmake/variants/release.cmake" >/dev/null
    cmake --build "$root/build/release" --target sonde
fi
sonde=$root/build/release/sonde
echo "set-up took $((SECONDS - began)) s"

[ -n "$dir" ] || dir=$(mktemp -d /tmp/sonde-demo.XXXXXX)
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
pids=()
stop() {
    trap - EXIT INT TERM
    for ((i = ${#pids[@]} - 1; i >= 0; i--)); do kill "${pids[$i]}" 2>/dev/null || true; done
    wait 2>/dev/null || true
}
trap stop EXIT
trap 'stop; exit 130' INT TERM

next_port=18400
free_port() { # sets $1
    while (exec 3<>"/dev/tcp/127.0.0.1/$next_port") 2>/dev/null; do next_port=$((next_port + 1)); done
    printf -v "$1" %s "$next_port"
    next_port=$((next_port + 1))
}
for name in metrics_port logs_port web_port tls_port dns_port api_port grpc_port status_port; do free_port $name; done
start() { # NAME COMMAND...
    local name=$1
    shift
    "$@" >"$dir/$name.log" 2>&1 &
    pids+=($!)
}
await() { # WHAT COMMAND...
    local what=$1
    shift
    for _ in $(seq 150); do
        "$@" >/dev/null 2>&1 && return 0
        sleep 0.2
    done
    echo "$what did not come up; see $dir/*.log" >&2
    exit 1
}

say "Starting a metrics store (victoria-metrics), a log receiver, nginx with TLS and a DNS server (knot)"
start metrics victoria-metrics -storageDataPath="$dir/metrics" -httpListenAddr="127.0.0.1:$metrics_port" \
    -retentionPeriod=1 -search.latencyOffset=0s -search.disableCache
start logs python3 "$root/packaging/demo/loki_receiver.py" "$logs_port"

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj "/CN=Sonde demo CA" \
    -addext basicConstraints=critical,CA:TRUE -keyout "$dir/ca.key" -out "$dir/ca.pem" 2>/dev/null
openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=demo" \
    -keyout "$dir/web.key" -out "$dir/web.csr" 2>/dev/null
openssl x509 -req -in "$dir/web.csr" -CA "$dir/ca.pem" -CAkey "$dir/ca.key" -CAcreateserial -days 30 \
    -extfile <(echo "subjectAltName=IP:127.0.0.1,DNS:www.demo.test") -out "$dir/web.pem" 2>/dev/null
cat >"$dir/nginx.conf" <<CONF
daemon off;
pid $dir/nginx.pid;
error_log $dir/nginx-error.log;
events {}
http {
    access_log off;
    client_body_temp_path $dir/nginx-body;
    proxy_temp_path $dir/nginx-proxy;
    fastcgi_temp_path $dir/nginx-fastcgi;
    uwsgi_temp_path $dir/nginx-uwsgi;
    scgi_temp_path $dir/nginx-scgi;
    server {
        listen 127.0.0.1:$tls_port ssl http2;
        ssl_certificate $dir/web.pem;
        ssl_certificate_key $dir/web.key;
        location / { return 200 "Hello from the demo\n"; }
    }
    server {  # probes append /push to a remote's URL, this store wants /write
        listen 127.0.0.1:$web_port;
        location = /api/v1/push { proxy_pass http://127.0.0.1:$metrics_port/api/v1/write; }
    }
}
CONF
start nginx nginx -c "$dir/nginx.conf" -p "$dir"
mkdir -p "$dir/knot"
cat >"$dir/demo.test.zone" <<ZONE
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
database:
    storage: "$dir/knot"
zone:
  - domain: demo.test
    storage: "$dir"
    file: demo.test.zone
CONF
start knot knotd -c "$dir/knot.conf"

say "Starting sonde: control plane and probe in one process"
export DEMO_PUBLISHER=demo-publisher-$RANDOM$RANDOM
cat >"$dir/sonde.yaml" <<CONF
state_dir: state
log: {level: info}
api: {embedded: true}
probe: {name: Here, region: DEMO, latitude: 52.52, longitude: 13.4}
status: {listen: "127.0.0.1:$status_port"}
control:
  http: {listen: ["127.0.0.1:$api_port"]}
  grpc: {listen: ["127.0.0.1:$grpc_port"]}
  directory:
    version: 1
    organizations:
      - id: 1000
        slug: demo
        name: Demo
        publisher_tokens: [{name: demo, value_env: DEMO_PUBLISHER, stacks: [3]}]
        hosted_instances:
          - {id: 1, type: prometheus, name: demo-metrics, url: "http://127.0.0.1:$metrics_port", remote_url: "http://127.0.0.1:$web_port/api/v1"}
          - {id: 2, type: logs, name: demo-logs, url: "http://127.0.0.1:$logs_port", remote_url: "http://127.0.0.1:$logs_port/loki/api/v1"}
        stacks: [{id: 3, slug: demo, name: Demo, metrics_instance_id: 1, logs_instance_id: 2}]
CONF
start sonde "$sonde" run --config "$dir/sonde.yaml"
await "the metrics store" curl -sf "http://127.0.0.1:$metrics_port/health"
await "sonde" curl -sf "http://127.0.0.1:$status_port/ready"

api=http://127.0.0.1:$api_port/api/v1
call() { # METHOD PATH [JSON]
    curl -sf --show-error -X "$1" "$api/$2" -H "Authorization: Bearer $token" ${3:+-H 'Content-Type: application/json' -d "$3"}
}
say "Over the public API: register a tenant, add a probe of its own and one check of each kind"
token=$DEMO_PUBLISHER
token=$(call POST register/install '{"stackId": 3, "metricsInstanceId": 1, "logsInstanceId": 2}' | jq -r .accessToken)
call POST probe/add '{"name": "elsewhere", "region": "DEMO", "latitude": 48.1, "longitude": 11.6}' |
    jq -r '"a private probe was added: id \(.probe.id); its token, shown once, has \(.token | length) characters"'
probe=$(call GET probe/list | jq -r '.[] | select(.name == "Here") | .id')
period=5000
added=$(date +%s)
add() { # JOB TARGET SETTINGS
    call POST check/add "$(jq -cn --arg job "$1" --arg target "$2" --argjson settings "$3" --argjson probe "$probe" --argjson period $period \
        '{job: $job, target: $target, frequency: $period, timeout: 2000, enabled: true, probes: [$probe], settings: $settings, basicMetricsOnly: false, labels: [{name: "demo", value: "quickstart"}]}')" |
        jq -r '"check \(.id): \(.job) \(.target)"'
}
add "shop front" "https://127.0.0.1:$tls_port/" "$(jq -cn --rawfile ca "$dir/ca.pem" '{http: {tlsConfig: {caCert: ($ca | @base64)}, failIfNotSSL: true, failIfBodyNotMatchesRegexp: ["Hello"]}}')"
add "names" "www.demo.test" "{\"dns\": {\"server\": \"127.0.0.1\", \"port\": $dns_port, \"recordType\": \"A\", \"protocol\": \"UDP\"}}"
add "gateway" "127.0.0.1" '{"ping": {}}'
add "database, which is down" "127.0.0.1:1" '{"tcp": {}}'

# force_flush: this store shows new series seconds after it has taken them, and we want our time, not its.
query() {
    curl -sf "http://127.0.0.1:$metrics_port/internal/force_flush"
    curl -sf -G "http://127.0.0.1:$metrics_port/api/v1/query" --data-urlencode "query=$1" | jq -r "$2"
}
all_there() { [ "$(query 'count(probe_success)' '.data.result[0].value[1] // 0')" = 4 ]; }
await "the samples" all_there
echo "all samples can be queried $(($(date +%s) - added)) s after the first check was added (period: $((period / 1000)) s)"

say "Read back from the stores"
reason_of() { curl -s -G "http://127.0.0.1:$logs_port/last" --data-urlencode "job=$1" | sed -n 's/.* reason=\([^ ]*\)\( cause=\([^ ]*\)\)\{0,1\}.*/\1.\3/p' | sed 's/\.$//'; }
printf '%-5s %-24s %-8s %-18s %10s  %s\n' kind job verdict reason duration phases
right=0
while IFS=$'\t' read -r kind job; do
    success=$(query "probe_success{job=\"$job\"}" '.data.result[0].value[1]')
    seconds=$(query "probe_duration_seconds{job=\"$job\"}" '.data.result[0].value[1]')
    phases=$(query "{__name__=~\"probe_(http|dns|icmp)_duration_seconds\", job=\"$job\"}" \
        '[.data.result[] | "\(.metric.phase) \(.value[1] | tonumber * 1000000 | round / 1000) ms"] | join(", ")')
    verdict=ok
    reason=
    [ "$success" = 1 ] || { verdict=FAILED; reason=$(reason_of "$job"); }
    case $kind:$verdict:$reason in tcp:FAILED:connect.refused | dns:ok: | http:ok: | ping:ok:) right=$((right + 1)) ;; esac
    printf '%-5s %-24s %-8s %-18s %7.2f ms  %s\n' "$kind" "$job" "$verdict" "$reason" "$(jq -n "$seconds * 1000")" "$phases"
done < <(query sm_check_info '.data.result[] | "\(.metric.check_name)\t\(.metric.job)"' | sort)

if [ $once = yes ]; then
    if [ $right != 4 ]; then
        echo "expected three checks to pass and one to fail with connect.refused; see $dir" >&2
        exit 1
    fi
    stop
    exit 0
fi
say "It goes on running. Try next"
cat <<TXT
  one check from the shell   $sonde check http https://127.0.0.1:$tls_port/ --settings '{"tlsConfig": {"insecureSkipVerify": true}}'
  the same for a script      $sonde check ping 127.0.0.1 -o json
  the agent's own metrics    curl http://127.0.0.1:$status_port/metrics
  the log of the checks      tail -f $dir/logs.log
  all checks of the tenant   curl -H 'Authorization: Bearer $token' $api/check/list
  graphs                     http://127.0.0.1:$metrics_port/vmui

Ctrl-C stops all of it; the files are in $dir
TXT
wait
