#!/usr/bin/env bash
# Builds the fuzz targets and runs each for some seconds, or so many inputs, the same ones each time:
#   tests/fuzz/run.sh [--seconds N | --runs N] [--jobs N] [--no-install] [TARGET...]
# TARGET is a folder of tests/fuzz/corpus; default all, 5 seconds each. Inputs that libFuzzer keeps go to a scratch copy of
# the corpus; what broke something is left in build/fuzz/findings, to be fixed and then added to the corpus. For a stack
# with names run it in the variant asan: build/asan/tests/fuzz/TARGET_fuzz FILE
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
limit=-max_total_time=5
jobs=$(nproc)
install=yes
while [ $# -gt 0 ]; do
    case $1 in
    --seconds) limit=-max_total_time=$2; shift 2 ;;
    --runs) limit="-runs=$2 -seed=1"; shift 2 ;;
    --jobs) jobs=$2; shift 2 ;;
    --no-install) install=no; shift ;;
    -h | --help) sed -n '2,6s/^# //p' "$0"; exit 0 ;;
    -*) echo "unknown option $1; see --help" >&2; exit 2 ;;
    *) break ;;
    esac
done
[ $# -gt 0 ] || set -- $(cd "$root/tests/fuzz" && ls *_fuzz.cpp | sed 's/_fuzz\.cpp$//')

[ $install = no ] || "$root/packaging/install-packages.sh" build fuzz
build=$root/build/fuzz
cmake -S "$root" -B "$build" -G Ninja -C "$root/packaging/cmake/variants/fuzz.cmake" >/dev/null
cmake --build "$build" --target "${@/%/_fuzz}"

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
findings=$build/findings
mkdir -p "$findings"

# One target; its last words are the numbers of executions, or the finding.
fuzz_one() {
    local name=$1 log=$scratch/$1.log
    mkdir "$scratch/$name" "$scratch/$name.tmp"
    cp "$root/tests/fuzz/corpus/$name"/* "$scratch/$name"
    if TMPDIR=$scratch/$name.tmp "$build/tests/fuzz/${name}_fuzz" $limit -timeout=10 -rss_limit_mb=2048 \
        -max_len=4096 -print_final_stats=1 -artifact_prefix="$findings/$name-" "$scratch/$name" >"$log" 2>&1; then
        echo "ok      $name: $(sed -n 's/^stat::number_of_executed_units: *//p' "$log") executions"
    else
        echo "FAILED  $name, see $findings"
        tail -n 60 "$log"
        return 1
    fi
}
export -f fuzz_one
export root build scratch findings limit
printf '%s\n' "$@" | xargs -P "$jobs" -I{} bash -c 'fuzz_one {}'
