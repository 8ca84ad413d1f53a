#!/usr/bin/env bash
# Installs Debian's packages that a purpose needs: packaging/install-packages.sh build|test|demo|fuzz|lint…
# Run as root or with sudo at hand; does nothing when all of them are there.
set -euo pipefail

build=(g++ cmake ninja-build pkg-config ccache mold git ca-certificates
    libboost1.81-dev libcurl4-openssl-dev libc-ares-dev libssl-dev prometheus-cpp-dev libgrpc++-dev
    libprotobuf-dev protobuf-compiler protobuf-compiler-grpc libyaml-cpp-dev doctest-dev
    nlohmann-json3-dev libspdlog-dev libfmt-dev libcli11-dev libre2-dev libsnappy-dev libsoci-dev
    libsoci-sqlite3-4.0 libsoci-postgresql4.0 libsqlite3-dev libpq-dev libldns-dev libsodium-dev
    zlib1g-dev libbrotli-dev libmimalloc-dev)
test=(victoria-metrics prometheus prometheus-blackbox-exporter nginx-light knot openssl iproute2 procps
    postgresql sqlite3 python3-jsonschema libfaketime)
demo=(victoria-metrics nginx-light knot openssl curl jq procps python3)
fuzz=(clang-19 libclang-rt-19-dev)
bench=(prometheus-blackbox-exporter nginx-light knot openssl util-linux iproute2)
lint=(clang-19 clang-tidy-19 clang-format-19 libclang-rt-19-dev)

wanted=()
for purpose in "$@"; do
    declare -n list=$purpose
    wanted+=("${list[@]}")
    unset -n list
done

missing=()
for package in "${wanted[@]}"; do
    state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$state" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || {
        echo "These packages are missing and only root can install them: ${missing[*]}" >&2
        exit 1
    }
    as_root=(sudo)
fi
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get update -q
# Test servers are started by the tests, on ports of their own; the packages must not start them.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
    "${as_root[@]}" chmod 755 "$policy"
    trap '"${as_root[@]}" rm -f "$policy"' EXIT
fi
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}"
