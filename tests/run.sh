#!/usr/bin/env bash
# Installs what the tests need, builds and runs all of them: tests/run.sh [--variant NAME] [--no-install] [CTEST OPTION...]
# Variants: packaging/cmake/variants. The default, asan, runs under address and undefined-behaviour sanitizers.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
variant=asan
install=yes
while [ $# -gt 0 ]; do
    case $1 in
    --variant) variant=$2; shift 2 ;;
    --no-install) install=no; shift ;;
    -h | --help) sed -n '2,3s/^# //p' "$0"; exit 0 ;;
    *) break ;;
    esac
done

[ $install = no ] || "$root/packaging/install-packages.sh" build test
build=$root/build/$variant
cmake -S "$root" -B "$build" -G Ninja -C "$root/packaging/cmake/variants/$variant.cmake" >/dev/null
cmake --build "$build"
ctest --test-dir "$build" --output-on-failure --timeout 300 "$@"
