#!/usr/bin/env bash
# Train nano anew and put it into the package: two runs and a copy. Both runs go on where they were if started again.
#   scripts/retrain_nano.sh [RUNS]
# On a GPU set iterations and batch_size in docs/nano/stage2.toml higher: what nano lacks is pictures seen.
set -euo pipefail
runs=${1:-runs}
cd "$(dirname "$0")/.."
train() {
    local out=$1
    shift
    if [ -f "$out/model.safetensors" ]; then return; fi
    if [ -f "$out/recipe.json" ]; then set -- "$@" --resume; fi
    sapiens train "$@" --size nano --data docs/nano/data.toml -o "$out"
}
train "$runs/nano1" pose,seg,normal,matting,albedo --start nothing --recipe docs/nano/stage1.toml
train "$runs/nano2" pose,seg,normal,pointmap,matting,albedo --start task --weights "$runs/nano1" --recipe docs/nano/stage2.toml
python scripts/embed_nano.py "$runs/nano2"
