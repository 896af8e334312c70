#!/usr/bin/env bash
# Everything that docs/performance.md wants to know of a GPU: `scripts/bench_gpu.sh OUT [MINUTES]`. Writes JSON files and
# tables to OUT, the most important first; what does not fit into MINUTES (default 8) is left out and said.
set -uo pipefail
out=${1:?where to write}
deadline=$(($(date +%s) + 60 * ${2:-8}))
mkdir -p "$out"
cd "$(dirname "$0")/.."
nvidia-smi --query-gpu=name,driver_version,power.limit --format=csv >"$out/gpu.csv"
measure() { # NAME ARGUMENTS...
    local name=$1 left=$((deadline - $(date +%s)))
    shift
    if [ "$left" -lt 20 ]; then
        echo "$name: left out, no time" | tee -a "$out/left_out.txt"
        return
    fi
    if timeout "$left" sapiens bench "$@" --json >"$out/$name.json"; then
        python -c 'import json, sys; from sapiens.bench.table import render; print(render(json.load(open(sys.argv[1]))))' \
            "$out/$name.json" | tee "$out/$name.txt"
    else
        echo "$name: failed or out of time" | tee -a "$out/left_out.txt"
    fi
}
measure backbone_1b_8 backbone --size 1b --batch 8 --vs compiled,float8,transformers
measure backbone_1b_1 backbone --size 1b --batch 1 --vs graph,compiled
measure files_1b files --size 1b --batch 8
measure seg_1b_8 seg --size 1b --batch 8 --vs compiled
measure pointmap_1b_8 pointmap --size 1b --batch 8 --vs compiled
measure backbone_1b_32 backbone --size 1b --batch 32 --vs compiled
measure pose_5b_1 pose --size 5b --batch 1 --vs graph
measure normal_1b_8 normal --size 1b --batch 8 --vs compiled
measure pose_1b_8 pose --size 1b --batch 8 --vs compiled
measure matting_1b_8 matting --size 1b --batch 8 --vs compiled
measure synth synth
