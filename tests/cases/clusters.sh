#!/usr/bin/env bash
# show --stage=clusters prints what becomes one kernel and why. This is tried on a spec whose right answer is known,
# with and without fusion, and on whole models, where each kernel that is launched has an account and copies of a repeat
# share one.
. "$(dirname "$0")/../lib.sh"

cat > known.lam <<'END'
use "std/layers.lam"
use "std/optim.lam"
axis row = 64
axis embed = 64
axis hidden = 128
axis past == row
model m(x[row, embed], y[row, embed], t[row, past]) -> more[row, hidden], weights[row, past], total {
  sum = x + proj: linear(y, embed, embed)
  normed = ln: layernorm(sum, embed)
  grown = gelu(fc: linear(normed, embed, hidden))
  return grown + x @embed wide(), softmax(t, past), max(t, row, past)
}
fn wide() over embed, hidden {
  param weight[embed, hidden] ~ normal(0.02)
  return weight
}
END

# told KERNEL: prints the account of the kernel whose name begins so.
told() { awk -v name="$1" 'BEGIN { RS = ""; ORS = "\n" } index($0, name) == 1' clusters; }
# says KERNEL TEXT...: the account contains each text, however its lines are broken.
says() {
  local account text
  account=$(told "$1" | tr -s '\n ' ' ')
  [[ -n $account ]] || fail "nothing is told of $1"
  for text in "${@:2}"; do
    [[ $account == *"$text"* ]] || { told "$1"; fail "the account of $1 does not say: $text"; }
  done
}
silent() { [[ $(told "$1" | tr -s '\n ' ' ') != *"$2"* ]] || fail "the account of $1 says: $2"; }

lamella show known.lam --stage=clusters --target=avx2 > clusters
head -n 1 clusters | grep -q '^graph predict: 6 launches in 6 accounts' || fail "$(head -n 1 clusters)"
# The contraction begins from the bias; the residual is added in the kernel of the norm, the only one that needs the
# sum.
says linear_64x64: "contraction by register tiles over [batch=1, row=64, out=64], reduced along [in=64]" "stores proj = add" \
  "the contraction proj.y begins from proj.bias instead of 0" "read by layernorm" "alone because only values of one element each are computed from a contraction's sums" layers.lam:11
says layernorm: "sweep by rows over [batch=1, row=64, embed=64], reduced along [embed=64]" "normed = add" known.lam:8 \
  "because a contraction reads its operands from memory; read by linear_64x128" "reduces ln.mean_total" \
  "on the spot sum = add" "added here sum, since the contraction begins from another operand already" \
  "on the spot ln.centred = sub" "on the spot ln.variance = mul" "unstored because only this kernel needs it" \
  "reads x, proj, ln.weight, ln.bias" \
  "apart from linear_64x64 (proj): that kernel is a contraction, and only values of one element each are computed from its sums"
# What is computed of a contraction's sums element by element is computed by its kernel, and so is, on the spot, the activation of
# another contraction that it is added to.
says linear_64x128: "the contraction fc.y begins from fc.bias instead of 0" "read by product_64x128"
says product_64x128: "stores more = add" "stored because it is an output" "on the spot grown = mul" "without names: erf, add" \
  "here because it reads x.product, which is computed here, over the same axes"
silent product_64x128: "alone because"
# A softmax is one kernel, which stores neither the largest score nor the sum.
says full_softmax: "reduces full_softmax_most = reduce_max" "reduces z = reduce_sum" "stores weights = div" "on the spot e = exp" \
  "here because it reads full_softmax_most, which is computed here, over the same axes"
silent full_softmax: "stores z"
says total "reduced along [row=64, past=64]" "total = reduce_max" "it is an output"
says product_64x128: "x.product = contract" "unstored because only this kernel needs it" "added here, since what is added is not in memory"

# Without fusion each value is stored by a kernel of its own, for that reason alone; contractions are still tiled unless
# the pass tile is left out.
lamella show known.lam --stage=clusters --target=avx2 --passes=-fuse > clusters
says sum "plain loops over [batch=1, row=64, embed=64]" "stored because the pass fuse is left out, so that everything is stored; read by layernorm"
says linear_64x64: "contraction by register tiles"
expect_equal "$(grep -c '^[a-z].* accounts' clusters)" 1
expect_equal "$(grep -c '^  stores' clusters)" "$(sed -n 's/^graph predict: \([0-9]*\) .*/\1/p' clusters)" "as many values as launches"
expect_equal "$(grep -c '^  on the spot\|^  reduces\|^      here' clusters)" 0 "what is not stored"
lamella show known.lam --stage=clusters --target=avx2 --passes=none > clusters
says linear_y "plain loops" "no tiles because the pass tile is left out"

# In training the backward pass reads the residual and the reductions of the norm's rows, so they are stored. The copies
# of a repeat share an account; those at the ends have their own where they differ.
small=(-D seq=32 -D pos=32 -D vocab=64 -D embed=64 -D head=4 -D repeat.h=12)
lamella show "$SPECS/gpt2.lam" "${small[@]}" --stage=clusters --graph=train --target=avx2 > clusters
attention=$(awk 'BEGIN { RS = "" } /^attend.*: part of a stream, block by block over .*reduced along \[past=32\]/' clusters)
expect_contains "$attention" "  stores       h.*.attn.weights = div"
expect_contains "$attention" "x 12: part of a stream"
attention=$(awk 'BEGIN { RS = "" } /h\.\*\.attn\.attend_product = contract/' clusters)
expect_contains "$attention" "block    [batch=4, head=4, seq=32, past=32] of it lie in memory at a time"
norm=$(awk 'BEGIN { RS = "" } /^layernorm/ && /x 11/ && /stores       h\.\*\.x = add/' clusters | tr -s '\n ' ' ')
expect_contains "$norm" "in the backward pass by"
expect_contains "$norm" "because another kernel reads the result of this reduction"
expect_contains "$norm" "several kernels would compute it, which costs more than memory"
expect_contains "$norm" "added here, since the contraction begins from another operand already"

# Evaluation does not store what training alone needs: a norm keeps neither of its sums, the softmax neither its largest
# score nor its sum. Rows that a kernel reads again are stored as in training, so that the two share the kernel.
lamella show "$SPECS/gpt2.lam" "${small[@]}" --stage=clusters --graph=evaluate --target=avx2 > clusters
norm=$(awk 'BEGIN { RS = "" } /^layernorm/ && /x 11/' clusters | tr -s '\n ' ' ')
[[ $norm == *"mean_total = reduce_sum"*"unstored because only this kernel needs it"* ]] || fail "$norm"
[[ $norm != *"training keeps"* ]] || fail "$norm"
expect_contains "$(cat clusters)" "because training keeps it for the backward pass"
softmax=$(awk 'BEGIN { RS = "" } /attn.m = reduce_max/' clusters)
[[ $softmax != *"training keeps"* ]] || fail "$softmax"

# A rounding that nothing but the contraction's own kernel reads is not stored, and neither are the sums, which the kernel holds
# tile by tile.
lamella show "$SPECS/gpt2.lam" "${small[@]}" --stage=clusters --graph=train --target=avx512 --passes='mixed(bf16)' > clusters
accounts=$(tr -s '\n ' ' ' <clusters)
expect_contains "$accounts" "which is then needed no longer; read by"
[[ $accounts != *"which is then needed no longer here because"* ]] || fail "a rounding is stored that no kernel reads: $accounts"
grep -A1 '^  sums ' clusters | grep -q 'unstored because only this kernel needs it' || fail "sums that lie on a stack are said to be stored"

# Each kernel that a routine launches has an account in its graph.
for spec in gpt2 llama translate moe linear; do
  case $spec in
    gpt2) options=("${small[@]}") ;;
    *) options=() ;;
  esac
  for passes in default -fuse; do
    [[ $passes == default ]] || options+=("--passes=$passes")
    lamella show "$SPECS/$spec.lam" "${options[@]}" --stage=loops | sed -n 's/^#   \([a-z_A-Z0-9]*\)(.*/\1/p' | sort -u > launched
    lamella show "$SPECS/$spec.lam" "${options[@]}" --stage=clusters > clusters
    sed 's/  x [0-9]*: /: /' clusters | sed -n 's/^\([a-z_A-Z0-9, ]*\): .*/\1/p' | tr -d ' ' | tr , '\n' | sort -u > told
    [[ -s launched ]] || fail "$spec launches nothing"
    expect_equal "$(comm -23 launched told)" "" "kernels of $spec with $passes that are not told"
    ! grep -q ' $' clusters || fail "a line ends with a space"
  done
done
