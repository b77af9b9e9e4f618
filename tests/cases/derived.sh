#!/usr/bin/env bash
# slow
# What depends on parameters alone is computed when these change, and at no call: no matter how they change, predictions, evaluation
# and generation follow. The interpreter gives the same bits with the pass and without. A weight in explicit steps is computed by
# derive alone. Traces and bench name the routine, and weights that are a part of the program have no copies.
. "$(dirname "$0")/../lib.sh"

cat >net.lam <<'END'
use "std/transformer.lam"
use "std/optim.lam"
axis vocab = 29
axis wide = 64
axis out = wide
axis rank = 4
axis seq <= 32

# A weight to which a product of two others is added, and one in steps of a 127th of its largest elements.
fn layer(x, axis in, axis out) over rank {
  param weight[in, out] ~ normal(0.2)
  param a[in, rank] ~ normal(0.3)
  param b[rank, out] ~ normal(0.3)
  step = max(abs(weight), in) / 127
  steps = max(-127, min(127, round(weight / step)))
  return x @in (weight + a @rank b) + x @in steps * step
}
model net(tokens[seq] in vocab) -> logits[seq, vocab] {
  param table[vocab, wide] ~ normal(0.3)
  param head.weight[vocab, wide] ~ normal(0.05)
  x = table[vocab = tokens]
  x = tanh(layer: layer(x, wide, out))
  return x[out -> wide] @wide head.weight + exp(sum(head.weight, wide))
}
data text { text = "text.txt"; tokenizer = char; split = 0.8 }
train net on text {
  loss      = cross_entropy(logits, next, vocab), weight
  optimizer = adamw(lr = 0.01)
  batch = 4; steps = 8; eval = every(2); average = 0.5
}
generate net { over = seq; feed = tokens; from = logits }
END
head -c 6000 "$GOLDEN/text.txt" | tr 'A-Z' 'a-z' | tr -cd 'a-z \n' >text.txt

# The graphs: sums and steps are states, what multiplies the steps again is not, and both graphs read the same ones.
lamella show net.lam --stage=tensor --graph=derive --verify >derive.txt
grep -q '^state "layer.steps" .* integer derived' derive.txt || fail "the steps are not derived: $(cat derive.txt)"
for graph in evaluate predict step; do
  lamella show net.lam --stage=tensor --graph=$graph >graph.txt
  grep -q 'round(' graph.txt && fail "$graph computes steps of the weight"
  expect_equal "$(sed -n 's/^state "\([^"]*\)".* derived .*/\1/p' graph.txt | sort | xargs)" \
    "$(sed -n 's/^state "\([^"]*\)".* derived .*/\1/p' derive.txt | sort | xargs)" "what $graph reads"
done
lamella show net.lam --stage=tensor --graph=train | grep -q derived && fail "training reads what is derived"
expect_contains "$(lamella show net.lam --stage=clusters --graph=predict)" "of parameters alone: derive launches it"

# No kernel of a prediction writes as much as a weight but for its activations, which have the axis batch.
lamella show net.lam --stage=loops --target=avx2 >loops
sed -n '/^# routine predict/,/^# routine step/p' loops >launches
grep -q '^#   \(pack\|update\|layer(\)' launches && fail "a prediction computes weights: $(cat launches)"
expect_equal "$(sed -n '/^# routine derive/,$p' loops | grep -c '^#   pack')" "2" "packing by derive, of reals and of steps"

# The interpreter: the same bits, although parameters change between evaluations.
validation() { grep -o '"validation[a-z_]*": *[^,}]*' "$1" | sed 's/.*: *//'; }
for name in default without; do
  passes=default
  [[ $name == default ]] || passes=-derive
  lamella interpret net.lam --passes=$passes train --steps 4 --log $name.jsonl --out $name.safetensors >/dev/null
  lamella interpret net.lam --passes=$passes generate --weights $name.safetensors --prompt the --tokens 12 --temperature 0 >$name.text 2>/dev/null
  validation $name.jsonl >$name.validation
done
[[ -s default.validation ]] || fail "no validation in $(head -n 3 default.jsonl)"
expect_equal "$(cat default.validation)" "$(cat without.validation)" "validation by the interpreter"
expect_equal "$(cat default.text)" "$(cat without.text)" "a text by the interpreter"
cmp default.safetensors without.safetensors || fail "the interpreter's weights differ"

# The same program in C, where evaluation runs between steps.
for passes in default -derive 'derive(packed = 0)' '-share'; do
  lamella run net.lam "--passes=$passes" train --steps 4 --log run.jsonl --out run.safetensors --overwrite >/dev/null
  validation run.jsonl >run.validation
  near default.validation run.validation 1e-4 || fail "validation under $passes"
  lamella run net.lam "--passes=$passes" generate --weights default.safetensors --prompt the --tokens 12 --temperature 0 >run.text 2>/dev/null
  expect_equal "$(cat run.text)" "$(cat default.text)" "a text under $passes"
done

# Callers of the library.
strict=(-std=c11 -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror)
lamella emit net.lam --target=portable -o both
lamella emit net.lam --target=portable --name=plain '--passes=-derive, -hoist' -o both
gcc "${strict[@]}" -g -O1 -fsanitize=address,undefined -fno-sanitize-recover=all -Iboth "$LAMELLA_ROOT/tests/library/derived.c" \
  both/net.c both/plain.c both/lamella.c -o derived -lm || fail "derived.c does not compile"
./derived saved.safetensors >out.txt 2>&1 || { cat out.txt; fail "derived values and changed parameters"; }

# Traces and bench know the routine.
lamella build net.lam -o program
./program predict --weights default.safetensors --trace trace.json >/dev/null 2>&1 || ./program eval --weights default.safetensors --trace trace.json >/dev/null
grep -q '"name":"derive"' trace.json || fail "no derive in the trace"
./program bench --graph derive --steps 3 >bench.txt 2>/dev/null || fail "bench of derive"
grep -q update bench.txt || fail "no kernel of derive: $(cat bench.txt)"
./program info | grep -q ' derived;' || fail "info: $(./program info)"

# The table of bytes: each row is the sum of its storages, parameters are four bytes each, and of 4,096 steps kernels pack copies,
# which tiles of some processors make longer.
./program info | awk '
  /^numbers/ { count = $2 }
  /^kilobytes/ { for (i = 2; i <= NF; i++) name[i] = $i; on = 1; next }
  on { sum = 0; for (i = 2; i < NF; i++) sum += $i; if (sum < $NF - 0.002 || sum > $NF + 0.002) bad = 1
    if ($1 == "parameter") parameters = $NF; if ($1 == "derived") for (i in name) if (name[i] == "i8") steps = $i }
  END { exit bad || count < 1000 || parameters != sprintf("%.3f", 4 * count / 1000) || steps + 0 < 8.192 || steps + 0 > 12.288 }' || fail "bytes by storage: $(./program info)"

# Weights in memory that is only read: values are derived, and nothing is packed.
lamella emit net.lam --only=predict --weights=default.safetensors --target=portable -o fixed
grep -q 'void net_changed' fixed/net.h && fail "constant parameters change"
gcc -O1 -Wall -Wextra -Werror fixed/*.c -o fixed/program -lm
./fixed/program info | grep -q ' derived;' || fail "info: $(./fixed/program info)"
grep -q 'packed' fixed/net.h && fail "constant parameters are packed"
exit 0
