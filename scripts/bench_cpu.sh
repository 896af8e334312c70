#!/usr/bin/env bash
# Every CPU figure of docs/performance.md and docs/crops.md: `scripts/bench_cpu.sh [OUT] [NAME...]`.
# On a quiet machine of 2 cores and 24 GB the whole takes about two hours and 30 GB of disk; with names only those.
# Then: scripts/performance_page.py.
set -euo pipefail
cd "$(dirname "$0")/.."
out=${1:-docs/performance}
shift || true
mkdir -p "$out"
measure() { # NAME ARGUMENTS...
    local name=$1
    shift
    if [ "${#wanted[@]}" -gt 0 ] && [[ " ${wanted[*]} " != *" $name "* ]]; then return; fi
    echo "$name: sapiens bench $*" >&2
    sapiens bench "$@" --json >"$out/$name.json.new"
    mv "$out/$name.json.new" "$out/$name.json"
}
wanted=("$@")
measure backbone_0.1b backbone --size 0.1b --vs transformers,int8,bfloat16 --repeats 3
measure backbone_0.4b backbone --size 0.4b --vs transformers,int8,bfloat16 --repeats 2
for task in pose seg normal pointmap matting albedo; do
    measure "${task}_0.4b" "$task" --size 0.4b --vs int8 --repeats 2
done
measure backbone_0.8b backbone --size 0.8b --vs int8 --repeats 1
measure backbone_1b backbone --size 1b --vs int8 --repeats 1
measure backbone_1b-4k backbone --size 1b-4k --vs int8 --repeats 1
measure backbone_5b backbone --size 5b --vs bfloat16 --repeats 1
measure options options --repeats 4
measure files files --repeats 2
measure crops crops --repeats 3
measure load_5b load --size 5b --repeats 1
