#!/usr/bin/env bash
# long
# lamella compare with trained weights: the loss of each variant is what the program's eval and a hand-made file of weights say, times are
# of predictions, --max-loss chooses, --per-layer and what it proposes agree with programs that quantise, and wrong inputs are refused.
. "$(dirname "$0")/../lib.sh"

command -v python3 >/dev/null || skip "no python3"
export TMPDIR=$WORK/tmp
mkdir -p "$TMPDIR"
spec=$SPECS/shakespeare.lam
tiny=(-D embed=32 -D head=2 -D repeat.h=2 -D seq=16 -D train.batch=4 -D "data.text=$WORK/text.txt")
tr -cd 'a-z \n' <"$LAMELLA_ROOT/docs/language.md" | head -c 8000 >text.txt || true
lamella run "$spec" "${tiny[@]}" -O1 train --out w.safetensors --steps 60 --quiet >/dev/null 2>errors.txt || {
  cat errors.txt
  grep -q 'built without LLVM' errors.txt && skip "no LLVM"
  fail "train"
}
few='few=quantize(i4, "*.weight", group = 0)'
compare() { lamella compare "$spec" "${tiny[@]}" -O1 --threads 1 --seed 7 --weights=w.safetensors "$@"; }
compare --passes=default --passes='bytes=quantize(i8)' --passes="$few" --time 1 --max-loss=+0.0005 --slow default=300 \
  --json c.json --html page.html >table.txt 2>errors.txt || { cat errors.txt; fail "compare"; }
expect_equal "$(ls -A "$TMPDIR")" "" "what is left"
for line in 'Validation loss of [0-9]* examples, with the weights w.safetensors' '^generate  *token ' '^predict  *batch ' '^bytes .*(+\?-\?[0-9.e-]*%)' \
  '^bytes is the fastest by generate whose loss is within --max-loss=+0.0005 of that of default: '; do
  grep -q -- "$line" table.txt || { cat table.txt; fail "no line '$line'"; }
done
loss_of() { lamella run "$spec" "${tiny[@]}" -O1 "$@" | sed -n 's/.*loss \([0-9.]*\) .*/\1/p'; }
loss_of --passes=default eval --weights w.safetensors >by_verbs
loss_of --passes='quantize(i8)' eval --weights w.safetensors >>by_verbs
loss_of --passes="${few#*=}" eval --weights w.safetensors >>by_verbs
python3 - <<'PYTHON'
import json
c = json.load(open("c.json"))
assert (c["verb"], c["weights"], c["validation"], c["max_loss"], c["chosen"]) == ("generate", "w.safetensors", True, "+0.0005", "bytes"), c
variants, losses = c["variants"], [float(line) for line in open("by_verbs")]
assert [v["name"] for v in variants] == ["default", "bytes", "few"] and len(losses) == 3
for v, loss in zip(variants, losses):
    assert abs(v["loss"] - loss) < 6e-5, (v["name"], v["loss"], loss)
    assert v["loss_difference"] == v["loss"] - variants[0]["loss"] or abs(v["loss_difference"] - v["loss"] + variants[0]["loss"]) < 1e-6
    assert v["unit"] == "tokens" and v["units"] == 1 and 0 < v["step_seconds"]["low"] <= v["step_seconds"]["high"]
    (more,) = v["more"]
    assert more["verb"] == "predict" and more["units"] == 4 * 16 and more["step_seconds"]["median"] > 0 and more["kernels"]
# Eight bits cost little, and four, with one scale a row, cost more; outputs say so, too.
default, eight, four = variants
assert 0 < abs(eight["loss_difference"]) < four["loss_difference"], (eight["loss_difference"], four["loss_difference"])
assert 0 < eight["difference"]["mean"] < four["difference"]["mean"] and "difference" not in default
# Bytes by storage: what is quantised is a quarter or an eighth of what it was.
assert set(default["weight_bytes"]) == {"f32"} and set(eight["weight_bytes"]) == {"f32", "i8"} and "i4" in four["weight_bytes"]
assert sum(four["weight_bytes"].values()) < sum(eight["weight_bytes"].values()) < 0.5 * default["weight_bytes"]["f32"]
PYTHON

# The loss with one parameter quantised is that of a file in which Python has made its steps and reals.
compare --per-layer --time 20 --json layers.json --html layers.html >layers.txt 2>errors.txt || { cat errors.txt; fail "--per-layer"; }
expect_equal "$(ls -A "$TMPDIR")" "" "what is left by --per-layer"
cat >quantise.py <<'PYTHON'
"""quantise.py IN OUT NAME BITS: NAME[in, out], in groups of 32 along `in` where BITS is 4, becomes what steps and scales make of it."""
import json, struct, sys
path, out, name, bits = sys.argv[1:5]
data = open(path, "rb").read()
length, = struct.unpack("<Q", data[:8])
header, body = json.loads(data[8:8 + length]), bytearray(data[8 + length:])
begin, end = header[name]["data_offsets"]
rows, columns = header[name]["shape"]
x = list(struct.unpack(f"<{rows * columns}f", body[begin:end]))
group = rows if bits == "8" or rows % 32 or rows <= 32 else 32
for j in range(columns):
    for first in range(0, rows, group):
        places = [i * columns + j for i in range(first, first + group)]
        largest = max((x[p] for p in places), key=abs)
        scale = (abs(largest) / 127 if bits == "8" else largest / -8) or 1
        low, high = (-127, 127) if bits == "8" else (-8, 7)
        for p in places: x[p] = max(low, min(high, round(x[p] / scale))) * scale
body[begin:end] = struct.pack(f"<{rows * columns}f", *x)
open(out, "wb").write(data[:8 + length] + body)
PYTHON
name=h.1.mlp.c_fc.weight
for bits in 8 4; do
  python3 quantise.py w.safetensors hand$bits.safetensors $name $bits
  lamella compare "$spec" "${tiny[@]}" -O1 --threads 1 --weights=hand$bits.safetensors --verb=eval --passes=default --time 0.1 --json hand$bits.json >/dev/null
done
lamella compare "$spec" "${tiny[@]}" -O1 --threads 1 --weights=w.safetensors --verb=eval --passes=default --passes="quantize(i8, \"$name\")" \
  --passes="quantize(i4, \"$name\")" --passes="$(python3 -c 'import json; print(json.load(open("layers.json"))["proposal"]["passes"])')" \
  --time 0.1 --json compiled.json >/dev/null
NAME=$name python3 - <<'PYTHON'
import json, os
layers, compiled = json.load(open("layers.json")), json.load(open("compiled.json"))
near = lambda x, y: abs(x - y) <= 2e-5
losses = [v["loss"] for v in compiled["variants"]]
parameters = {p["name"]: p for p in layers["parameters"]}
trials = parameters[os.environ["NAME"]]["trials"]
assert [t["rule"] for t in trials] == ["i8", "i4"] and near(layers["loss"], losses[0]), (layers["loss"], losses[0])
for trial, loss, bits in zip(trials, losses[1:3], (8, 4)):
    by_hand = json.load(open(f"hand{bits}.json"))["variants"][0]["loss"]
    assert trial["loss"] != layers["loss"] and near(trial["loss"], loss) and near(trial["loss"], by_hand), (trial, loss, by_hand)
# Sorted by what costs most; bytes are those of steps and scales.
most = [max(t["loss"] for t in p["trials"]) for p in layers["parameters"]]
assert most == sorted(most, reverse=True) and len(most) == 2 * 4 + 2, most
assert [t["bytes"] for t in trials] == [32 * 128 + 128 * 4, 32 * 128 / 2 + 128 * 4], trials
# What is proposed keeps the limit, saves bytes, and gives the same loss when it is compiled.
proposal = layers["proposal"]
assert near(proposal["loss"], losses[3]) and proposal["loss"] <= layers["limit"] == layers["loss"] * 1.005 or \
    abs(layers["limit"] - layers["loss"] * 1.005) < 1e-6 and near(proposal["loss"], losses[3])
assert proposal["loss"] <= layers["limit"] and proposal["bytes"] < 0.5 * layers["bytes"], proposal
assert any(p["proposed"] for p in layers["parameters"]) and "quantize(i" in proposal["passes"]
PYTHON
grep -q "^  --passes='" layers.txt || { cat layers.txt; fail "no proposal to paste"; }

# The rules of the variants are those that are tried; with a limit of nothing, little or nothing is proposed.
compare --per-layer --passes='-plan, quantize(i4, group = 16) -share' --max-loss=+0 --time 5 >rules.txt
grep -q 'loss by i4, group = 16' rules.txt || { cat rules.txt; fail "the variants' rule is not tried"; }
grep -q "Nothing is proposed\|  --passes='-plan, -share, quantize(i4, group = 16, " rules.txt || { cat rules.txt; fail "the variant's pipeline"; }
grep -q "Nothing is proposed\|All of it together: loss [0-9.]*, \(-\|+0 \)" rules.txt || { cat rules.txt; fail "--max-loss=+0"; }

# A rule that does not fit a parameter leaves that one out, and what needs more than weights is refused.
compare --per-layer --passes='quantize(i4, group = 48), quantize(i4, method = hqq)' --time 1 >odd.txt
grep -q '^wte.weight  *[0-9.]* KiB  *-  *-  *[-+]' odd.txt || { cat odd.txt; fail "a group that does not divide"; }

# Without variants, 8 and 4 bits are compared with what is usual.
lamella compare "$spec" "${tiny[@]}" --threads 1 --weights=w.safetensors --verb=eval --time 0.1 >usual.txt
for name in default 'quantize(i8)' 'quantize(i4)'; do grep -qF "$name  " usual.txt || { cat usual.txt; fail "no row for $name"; }; done

# Without a variant that is good enough the first one stays the choice.
compare --passes=default --passes="$few" --verb=eval --time 0.2 --max-loss=+0.000001 --slow default=100 >none.txt
grep -q 'default stays the choice by --max-loss=+0.000001: no other variant has a loss within the limit' none.txt || { cat none.txt; fail "--max-loss"; }

refused() {
  local status=$1 says=$2
  shift 2
  expect_status "$status" "$@"
  grep -qF -- "$says" stderr || { cat stderr; fail "no '$says' from: $*"; }
  expect_equal "$(ls -A "$TMPDIR")" "" "what is left after $*"
}
refused 2 "--max-loss takes how much a loss may be above another" lamella compare "$spec" --max-loss=little
refused 2 "--max-loss takes how much a loss may be above another" lamella compare "$spec" --max-loss=-0.1
refused 2 "--verb takes train, eval, predict or generate, not 'evil'; did you mean 'eval'?" lamella compare "$spec" --verb=evil
refused 2 "--max-loss is about trained weights, and training has none" lamella compare "$spec" --verb=train --max-loss=+0.1
refused 2 "--steps is about the loss of training" lamella compare "$spec" --weights=w.safetensors --steps 5
refused 1 "there are no weights shakespeare.safetensors" lamella compare "$spec" --max-loss=+0.1
refused 1 "train first" lamella compare "$spec" --per-layer
refused 1 "nowhere.safetensors" lamella compare "$spec" --weights=nowhere.safetensors
refused 1 "does not fit model mlp" lamella compare "$SPECS/mlp.lam" --weights=w.safetensors --passes=default --verb=eval
refused 1 "tensor wte.weight has axes [vocab=65, embed=32] in the file" lamella compare "$spec" "${tiny[@]}" -D embed=16 --weights=w.safetensors --passes=default --verb=eval
refused 1 "the validation part of" compare -D data.split=0.99999 --passes=default --verb=eval
refused 1 "a smaller split" compare -D data.split=0.99999 --per-layer
refused 1 "--per-layer tries weights alone" compare --per-layer --passes='quantize(i4, method = awq)'
refused 1 "no pass is called 'quantise'; did you mean 'quantize'?" compare --per-layer --passes='quantise(i4)'
refused 1 "name one by --passes='quantize(i8, \"NAME\")'" lamella compare "$SPECS/linear.lam" --weights=w.safetensors --per-layer
refused 1 "has no loss: it needs a train block and data" lamella compare "$SPECS/gpt-nano-sort.lam" --weights="$SPECS/data/gpt-nano-sort.safetensors"
refused 1 "has no routine for --verb=generate: it needs a generate block" lamella compare "$SPECS/mlp.lam" --verb=generate
