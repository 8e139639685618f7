#!/usr/bin/env bash
# Train the queue of the box (recipes/box.py) on a GPU that is lent for minutes at a time.
#
#   recipes/gpu.sh pack DATA PACKED               where the data and all packages are
#   recipes/gpu.sh train PACKED OUT [options]     where the GPU is, again until it says `all done`
#   recipes/gpu.sh finish PACKED OUT [options]    where all packages are: errors, cards, the box
#
# `pack` writes less than 64 MiB (recipes/pack_box.py says what DATA holds). `train` takes the
# options of recipes/box.py: names of entries, --minutes M (8.5 by default, so that a call ends
# within ten with its graphs and its last evaluation), --set FIELD=VALUE; a rehearsal without a GPU
# is `--device cpu --subset 2000`. It needs torch, numpy, scipy, numba, jaxtyping, safetensors and
# lightning-fabric. Everything it leaves in OUT is in files of at most 15 MiB: a larger state of a
# training is cut into parts, which the next call joins again.
set -euo pipefail
shopt -s globstar nullglob
here="$(cd "$(dirname "$0")/.." && pwd)"
export PYTHONPATH="$here/src${PYTHONPATH:+:$PYTHONPATH}"
python="${PYTHON:-python3}"

usage() {
  sed -n '2,14s/^# \{0,1\}//p' "$0"
  exit 2
}

join_parts() {
  for first in "$1"/**/*.part-00; do
    whole="${first%.part-00}"
    cat "$whole".part-* > "$whole.joining"
    mv "$whole.joining" "$whole"
    rm "$whole".part-*
  done
}

cut_into_parts() {
  find "$1" -type f -size +15728640c | while read -r whole; do
    split --bytes=15M --numeric-suffixes --suffix-length=2 "$whole" "$whole.part-"
    rm "$whole"
  done
}

[ $# -ge 3 ] || usage
command="$1" from="$2" to="$3"
shift 3
case "$command" in
  pack)
    "$python" "$here/recipes/pack_box.py" "$from" "$to" "$@"
    size="$(du --bytes --summarize "$to" | cut -f1)"
    [ "$size" -le 67108864 ] || { echo "$to takes $size bytes, more than 64 MiB." >&2; exit 1; }
    ;;
  train)
    mkdir -p "$to"
    join_parts "$to"
    trap 'cut_into_parts "$to"' EXIT
    "$python" -c "import torch; print('torch', torch.__version__, '- CUDA:', torch.cuda.is_available())"
    "$python" "$here/recipes/box.py" --train-only --minutes 8.5 --threads "$(nproc)" "$@" \
      --data "$from" --out "$to/runs"
    ;;
  finish)
    join_parts "$to"
    "$python" "$here/recipes/box.py" --minutes 600 "$@" --data "$from" --out "$to/runs"
    ;;
  *) usage ;;
esac
