#!/usr/bin/env bash
# The step of specs/shakespeare.lam beside eager PyTorch's on the same recipe, in turn, several times; the median of each.
#   bench/shakespeare.sh [ROUNDS] [THREADS]      PYTHON names an interpreter that has torch (default python3); without one, Lamella alone
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
rounds=${1:-5} threads=${2:-$(nproc)} python=${PYTHON:-python3}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${BUILD:-$root/build}/lamella" build "$root/specs/shakespeare.lam" -D train.eval=0 -D train.log=1 -o "$work/gpt"
"$python" -c 'import torch; print("torch", torch.__version__)' 2>/dev/null || { echo "no torch: Lamella alone"; python=; }
cd "$work"
for round in $(seq "$rounds"); do
  OMP_NUM_THREADS=$threads ./gpt train --steps 200 --quiet --log log.jsonl --out w.safetensors >/dev/null
  # From the 20th step on: the time that the log gives between two steps.
  sed -n 's/.*"seconds":\([0-9.]*\).*/\1/p' log.jsonl | awk 'NR > 20 { print ($1 - last) * 1000 } { last = $1 }' | sort -n |
    awk '{ t[NR] = $1 } END { printf "%.2f\n", t[int((NR + 1) / 2)] }' >>lamella.ms
  [[ -z $python ]] || "$python" "$root/bench/peers/shakespeare.py" --steps 120 --threads "$threads" --time-only |
    sed -n 's/median step \([0-9.]*\) ms/\1/p' >>torch.ms
done
for who in lamella torch; do
  [[ -e $who.ms ]] && sort -n $who.ms | awk -v who=$who '{ t[NR] = $1 } END { printf "%-8s median %s ms a step (%s to %s, %d rounds)\n", who, t[int((NR + 1) / 2)], t[1], t[NR], NR }'
done
[[ -e torch.ms ]] && paste lamella.ms torch.ms | awk '{ print $1 / $2 }' | sort -n | awk '{ t[NR] = $1 } END { printf "ratio    median %.3f\n", t[int((NR + 1) / 2)] }'
true
