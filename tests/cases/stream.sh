#!/usr/bin/env bash
# slow
# Attention is computed block by block by one kernel: the same bits as without, whatever the rows of a block and the number of threads,
# forward and backward; and no memory has both positions of a score, whoever wrote the spec.
. "$(dirname "$0")/../lib.sh"

# same_bits SPEC PIPELINE [OPTION...]: three steps of training end with the same bytes as without streams.
trained() {
  local out=$1 spec=$2 passes=$3
  shift 3
  lamella run "$spec" -O1 "${settings[@]}" --passes="$passes" train --overwrite --quiet --steps 3 --out $out "$@" >/dev/null
}
same_bits() {
  local spec=$1 passes=$2
  shift 2
  trained streamed.safetensors "$spec" "$passes" "$@"
  cmp plain.safetensors streamed.safetensors || fail "$spec, $passes, $*: other weights than without streams"
}
# streams_of SPEC GRAPH PIPELINE: how many kernels of streams the graph has, as show tells.
streams_of() { lamella show "$1" "${settings[@]}" --graph="$2" --passes="$3" --stage=clusters | grep -c '^[a-z].*: part of a stream'; }

specs=$LAMELLA_ROOT/specs
settings=(-D repeat.h=1 -D embed=64 -D train.batch=4 -D train.eval=0)
trained plain.safetensors "$specs/shakespeare.lam" -stream
for passes in default 'stream(again = 0)' 'stream(rows = 24, again = 0)'; do
  same_bits "$specs/shakespeare.lam" "$passes"
done
for threads in 1 3; do same_bits "$specs/shakespeare.lam" 'stream(rows = 8, again = 0)' --threads $threads; done
expect_equal "$(streams_of "$specs/shakespeare.lam" train 'stream(again = 0)')" 9
expect_equal "$(streams_of "$specs/shakespeare.lam" train -stream)" 0

# Under a causal mask the loops over keys end at the last row of a block, in predictions and in training, whichever way the mask is written:
# the same bits, for tiles that divide a block and for such that do not, in 16 bits, and by several threads.
clips() { lamella show "$1" "${settings[@]}" --graph="$2" --passes="$3" --stage=clusters | grep -c '^  clips        past: past the last row'; }
settings=(-D repeat.h=1 -D embed=64 -D seq=128 -D pos=128 -D train.batch=2 -D train.eval=0)
trained plain.safetensors "$specs/shakespeare.lam" -stream
for passes in 'stream(again = 0)' 'stream(again = 0), tile(rows = 5)' 'stream(again = 0), tile(rows = 12)'; do
  same_bits "$specs/shakespeare.lam" "$passes"
  same_bits "$specs/shakespeare.lam" "$passes" --threads 3
  expect_equal "$(clips "$specs/shakespeare.lam" train "$passes")" 9 "clusters that end early, $passes"
done
expect_equal "$(clips "$specs/shakespeare.lam" predict 'stream(rows = 64)')" 3 "clusters of predictions"
expect_equal "$(clips "$specs/shakespeare.lam" train 'stream(again = 0, rows = 16)')" 0 "blocks of fewer rows than sums have lanes"
lamella show "$specs/shakespeare.lam" "${settings[@]}" --passes='stream(again = 0, rows = 64)' --stage=c >clipped.c
grep -q 'past < block \* 64 + 64; past += 64' clipped.c || fail "rows do not end early"
trained plain.safetensors "$specs/shakespeare.lam" '-stream, mixed(bf16)'
same_bits "$specs/shakespeare.lam" 'mixed(bf16), stream(again = 0, rows = 64)'
settings+=(-D "data.text=$specs/data/tinyshakespeare.txt")
for mask in 'position(seq) - position(past) >= 0' 'not (position(past) > position(seq))' 'position(past) - position(seq) < 1 and position(past) < 1000'; do
  sed "s/^    x = x + attn: causal_attention.*/    x = x + attn: own_attention(ln_1: layernorm(x, embed))/" "$specs/shakespeare.lam" >own.lam
  { grep '^use' own.lam; cat <<END_OF_SPEC; grep -v '^use' own.lam; } >masked.lam
fn own_attention(x) over embed, head, key, seq {
  axis part = 3
  axis past == seq
  y = c_attn: linear(x, embed, part * head * key)
  q, k, v = y[part = 0], y[part = 1], y[part = 2]
  k = cached(k[seq -> past])
  v = cached(v[seq -> past])
  o = attend(q, k, v, $mask, key, past)
  return c_proj: linear(o, head * key, embed)
}
END_OF_SPEC
  trained plain.safetensors masked.lam -stream
  same_bits masked.lam 'stream(again = 0, rows = 64)'
  expect_equal "$(clips masked.lam train 'stream(again = 0, rows = 64)')" 9 "$mask"
done
# What a mask leaves in on the other side, or one position further, is not left out.
for mask in 'position(past) >= position(seq)' 'position(past) - position(seq) < 2' 'position(past) <= position(seq) or position(past) < 4'; do
  sed "s/attend(q, k, v, .*, key, past)/attend(q, k, v, $mask, key, past)/" masked.lam >other.lam
  sed -i '/^generate/,$d' other.lam
  trained plain.safetensors other.lam -stream
  same_bits other.lam 'stream(again = 0, rows = 64)'
  expect_equal "$(clips other.lam train 'stream(again = 0, rows = 64)')" 0 "$mask"
done
# What is read along another axis than it was computed is computed whole.
body='w = softmax(q @key k \/ 4, past, where = position(past) <= position(seq))\n  axis later == seq\n  o = (w @past v) + w[past -> later] @later (q[seq -> later])'
sed "s/^  o = attend.*/  $body/; /^generate/,\$d" masked.lam >odd.lam
trained plain.safetensors odd.lam -stream
for passes in 'stream(again = 0, rows = 64)' 'stream(rows = 64)' 'stream(rows = 64), tile(work = 0)'; do same_bits odd.lam "$passes"; done
expect_equal "$(clips odd.lam predict 'stream(rows = 64)')" 0 "weights that are read along another axis"
settings=(-D repeat.h=1 -D embed=64 -D train.batch=4 -D train.eval=0)

# Written by a user: other names, axes in another order, a bias that is learnt for each head, and one for each distance.
cat >looks.lam <<'END_OF_SPEC'
use "std/transformer.lam"
use "std/optim.lam"
axis letter = 27
axis wide = 32
axis place = 48
axis eye = 4
axis tone = 8

fn gaze(x) {
  axis seen == place
  param ask[wide, eye, tone] ~ normal(0.2)
  param tell[wide, eye, tone] ~ normal(0.2)
  param give[wide, eye, tone] ~ normal(0.2)
  param slope[eye] ~ normal(0.1)
  asked = x @wide ask
  told = (x @wide tell)[place -> seen]
  given_ = (x @wide give)[place -> seen]
  distance = position(place) - position(seen)
  match = asked @tone told + slope * distance
  match = where(distance < 0, -1e9, match)
  top = stop(max(match, seen))
  share = exp(match - top)
  return (share / sum(share, seen)) @seen given_
}
model looks(tokens[place] in letter) -> guess[place, letter] {
  param table[letter, wide] ~ normal(0.3)
  x = table[letter = tokens]
  y = gaze: gaze(x)
  param join[eye, tone, wide] ~ normal(0.2)
  z = x + (y @(eye, tone) join)
  return z @wide table
}
data words { text = "text.txt"; tokenizer = char; split = 0.9 }
train looks on words {
  loss      = cross_entropy(guess, next, letter), weight
  optimizer = adamw(lr = 0.01)
  batch = 4; steps = 3; eval = 0
}
END_OF_SPEC
for i in $(seq 60); do echo "abcdefghijklmnopqrstuvwxy $i" | tr '0-9' 'a-j'; done >text.txt
settings=()
# The gradient of a bias is a sum over all scores of a head. It is added row by row, which is another order.
trained plain.safetensors looks.lam 'stream(again = 0)'
same_bits looks.lam 'stream(rows = 12, again = 0)'
for passes in -stream default; do
  lamella run looks.lam --passes="$passes" eval --weights plain.safetensors >$passes.loss
  cmp -- -stream.loss $passes.loss || fail "looks.lam, $passes: another loss"
done
expect_equal "$(streams_of looks.lam train 'stream(again = 0)')" 9
# Neither has another of its buffers both axes in full, nor does GPT-2 at its usual size.
lamella show looks.lam --passes='stream(rows = 12, again = 0)' --stage=loops >loops.txt
grep -q '^# activation.*place=12.*seen=48' loops.txt || fail "no memory of a block"
! grep '^# activation.*place=48.*seen=48' loops.txt || fail "memory for all scores"
lamella show "$specs/gpt2.lam" --stage=loops >loops.txt
grep -q '^# activation.*seq=64.*past=1024' loops.txt || fail "no memory of a block"
! grep '^# activation.*seq=1024.*past=1024' loops.txt || fail "memory for all scores"

# What reads results of a stream as no stream can, since they are not known before the last block, or are another task's; what several
# kernels read; two streams between which another stands; and dropout. Some of these are computed apart then. `body` follows these lines.
begin='  axis seen == place
  param ask[wide, eye, tone] ~ normal(0.2)
  param tell[wide, eye, tone] ~ normal(0.2)
  param give[wide, eye, tone] ~ normal(0.2)
  asked = x @wide ask
  told = (x @wide tell)[place -> seen]
  mine = x @wide give
  given_ = mine[place -> seen]
'
softmax='share = exp(match - stop(max(match, seen))); p = share / sum(share, seen)'
bodies=(
  "match = asked @tone asked[place -> seen]; $softmax; return p @seen given_"
  "match = asked @tone told; $softmax; return p @seen (p @seen given_)[place -> seen]"
  "a = exp(asked @tone told * 0.1); d = sum(a, seen); return (a / sqrt(d * d[place -> seen])) @seen given_"
  "match = asked @tone told; $softmax; w = ((p @place mine) @tone asked) * p; return w @seen given_"
  "match = asked @tone told; m = stop(max(match, seen)); share = exp(match - m - m[eye = 3] * 0.5); p = share / sum(share, seen); return p @seen given_"
  "match = asked @tone told; share = exp(match - stop(max(match, seen))); p = dropout(share / sum(share, seen), 0.2); return p @seen given_"
  "axis other == place; match = asked @tone told; $softmax; return (p[place -> other] @seen p) @other mine[place -> other]"
  "axis late == place; param ask2[wide, eye, tone] ~ normal(0.2); match = (x @wide ask2) @tone told; $softmax; a = asked @tone told[seen -> late]; e = exp(a - stop(max(a, late))); o = p @seen given_; return (e / sum(e, late)) @late o[place -> late] + p @seen told"
)
settings=()
for body in "${bodies[@]}"; do
  { sed '/^fn gaze/q' looks.lam; printf '%s' "$begin"; tr ';' '\n' <<<"  $body"; echo '}'; sed -n '/^model looks/,$p' looks.lam; } >odd.lam
  trained plain.safetensors odd.lam '-stream, tile(work = 0)'
  same_bits odd.lam 'stream(rows = 8, again = 0), tile(work = 0)'
done
# A sum is not moved behind factors that have its axes.
for bias in 'sum(tanh(c * d), seen) * (asked @tone told)' 'sum(tanh(c * d), eye) + asked @tone told'; do
  body="param c ~ normal(0.5); d = (position(place) - position(seen)) * (position(eye) + 1) * 0.02 + 0.3; match = $bias; $softmax; return p @seen given_"
  { sed '/^fn gaze/q' looks.lam; printf '%s' "$begin"; tr ';' '\n' <<<"  $body"; echo '}'; sed -n '/^model looks/,$p' looks.lam; } >odd.lam
  lamella run odd.lam -O1 --passes=-stream train --overwrite --quiet --steps 3 --log plain.log --out odd.safetensors >/dev/null
  lamella run odd.lam -O1 --passes='stream(again = 0)' train --overwrite --quiet --steps 3 --log streamed.log --out odd.safetensors >/dev/null
  near <(losses plain.log) <(losses streamed.log) 1e-5 || fail "$bias: other losses"
done

# Masks from data, keys that several queries share, attention to another sequence.
for spec in "$LAMELLA_ROOT"/tests/golden/{bert,llama}.lam "$specs/translate.lam"; do
  settings=()
  [[ $spec == *translate* ]] && settings=(-D embed=64 -D train.batch=4 -D train.eval=0 -D repeat.layers=1 -D repeat.decoder.layers=1)
  trained plain.safetensors "$spec" -stream
  same_bits "$spec" 'stream(rows = 8, again = 0)'
  [[ $(streams_of "$spec" train 'stream(again = 0)') -gt 0 ]] || fail "$spec: no stream"
done

# In 16 bits, where the interpreter is the only reference: as near as without streams.
settings=(-D repeat.h=1 -D embed=64 -D train.batch=4 -D train.eval=0)
trained plain.safetensors "$specs/shakespeare.lam" '-stream, mixed(bf16)'
same_bits "$specs/shakespeare.lam" 'mixed(bf16), stream(rows = 16)'
