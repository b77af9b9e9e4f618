# Pruned weights: a Llama of W5's shape reads one token after another, with half and with four fifths of its weights zero, beside the same
# program without pruning. The weights are initial draws, pruned by magnitude when the program begins.
title="Llama 768 x 12, 12 heads, 2048 hidden, 32000 words, pruned by magnitude: one token (decode)"
contenders=(lamella whole)
layers=12 embed=768 hidden=2048 vocab=32000 seq=256
[[ $quick == 0 ]] || { layers=1 embed=96 hidden=128 vocab=320 seq=32; }

# What weights become, as a pipeline; the goals with 50% and with 80% of zeros, as shares of the time without.
variants='f32 default 0.588 0.303
i8 quantize(i8) 0.690 0.417
i8-i8 quantize(i8,activations=i8) 0.690 0.417'

thread_counts() { if [[ $threads == 1 ]]; then echo 1; else echo 1 "$threads"; fi; }

cases() {
  local name passes half most count
  while read -r name passes half most; do
    for count in $(thread_counts); do
      case_row "decode, $name, 50%, by $count" ms "$half x" "" "" "$count"
      case_row "decode, $name, 80%, by $count" ms "$most x" "" "" "$count"
    done
  done <<< "$variants"
}

program() {
  lamella build "$root/specs/llama.lam" --only=step -D repeat.model.layers=$layers -D embed=$embed -D hidden=$hidden \
    -D vocab=$vocab -D seq=$seq -D kv=12 -D group=1 -D train.batch=1 --passes="$2" -o "$work/llama-$1"
}
prepare() {
  local name passes rest
  while read -r name passes rest; do
    program "$name-whole" "$passes"
    program "$name-50%" "$passes, prune(l1, 0.5)"
    program "$name-80%" "$passes, prune(l1, 0.8)"
  done <<< "$variants"
}

# Programs take turns within some seconds.
slices() {
  local name rest count
  while read -r name rest; do
    for count in $(thread_counts); do printf '%s %s\n' "$name" "$count"; done
  done <<< "$variants"
}

step_of() {
  (cd "$work" && "./llama-$1" bench --graph step --steps 40 --threads "$2" --json times.json > /dev/null)
  sed -n 's/.*"step_ms":\([0-9.]*\).*/\1/p' "$work/times.json"
}
sample() {
  local name=$2 count=$3 share time
  [[ $1 == lamella ]] || time=$(step_of "$name-whole" "$count")
  for share in 50% 80%; do
    [[ $1 != lamella ]] || time=$(step_of "$name-$share" "$count")
    printf 'decode, %s, %s, by %s\t%s\n' "$name" "$share" "$count" "$time"
  done
}
