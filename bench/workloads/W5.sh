# Weights of few bits: a Llama of W5's shape reads one token after another, and a prompt at once. The weights are initial draws.
title="Llama 768 x 12, 12 heads, 2048 hidden, 32000 words, weights of few bits: one token (decode), 256 tokens (prompt)"
contenders=(lamella float32)
layers=12 embed=768 hidden=2048 vocab=32000 seq=256
[[ $quick == 0 ]] || { layers=1 embed=96 hidden=128 vocab=320 seq=32; }

# What weights become, as a pipeline; the bytes of each weight of a layer, and of the head.
variants='bf16 quantize(bf16) 2 2
i8 quantize(i8) 1 1
i4 quantize(i4) 0.625 1
i8-i8 quantize(i8,activations=i8) 1 1'

weights() { awk -v l=$layers -v e=$embed -v h=$hidden -v v=$vocab "BEGIN { $1 }"; }
in_layers() { weights 'print l * (4 * e * e + 3 * e * h)'; }
in_head() { weights 'print v * e'; }
thread_counts() { if [[ $threads == 1 ]]; then echo 1; else echo 1 "$threads"; fi; }

cases() {
  local name passes layer head count goal gigabyte gigaflop
  gigaflop=$(weights "printf \"%.4f\", 2e-9 * $seq * ($(in_layers) + $(in_head))")
  while read -r name passes layer head; do
    gigabyte=$(awk "BEGIN { printf \"%.6f\", 1e-9 * ($layer * $(in_layers) + $head * $(in_head)) }")
    for count in $(thread_counts); do
      case $name-$count in i8-1) goal="0.333 x" ;; *) goal= ;; esac
      case_row "decode, $name, by $count" ms "$goal" "" "$gigabyte" "$count"
      case $name in i8*) goal="1 x" ;; *) goal= ;; esac
      case_row "prompt, $name, by $count" ms "$goal" "$gigaflop" "" "$count"
    done
  done <<< "$variants"
}

program() {
  lamella build "$root/specs/llama.lam" --only=predict,step -D repeat.model.layers=$layers -D embed=$embed -D hidden=$hidden \
    -D vocab=$vocab -D seq=$seq -D kv=12 -D group=1 -D train.batch=1 --passes="$2" -o "$work/llama-$1"
}
prepare() {
  local name passes rest
  program float32 default
  while read -r name passes rest; do program "$name" "$passes"; done <<< "$variants"
}

# Programs take turns within a second.
slices() {
  local name rest count
  while read -r name rest; do
    for count in $(thread_counts); do printf '%s step %s\n%s predict %s\n' "$name" "$count" "$name" "$count"; done
  done <<< "$variants"
}

sample() {
  local name=$2 graph=$3 count=$4 program=$2 steps=40 case=decode
  [[ $1 == lamella ]] || program=float32
  [[ $graph == step ]] || { steps=5 case=prompt; }
  (cd "$work" && "./llama-$program" bench --graph $graph --steps $steps --threads "$count" --json times.json > /dev/null)
  sed -n "s/.*\"step_ms\":\([0-9.]*\).*/$case, $name, by $count\t\1/p" "$work/times.json"
}
