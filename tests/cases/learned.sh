#!/usr/bin/env bash
# long
# The characters and categories that weights learned hold for other data too: every verb and option takes them over, or
# refuses the data. The text a.txt has every character of b.txt and more, so ids that are counted anew would all mean
# something else.
. "$(dirname "$0")/../lib.sh"
for i in $(seq 40); do echo "a quick brown fox jumps over the lazy dog"; done >a.txt
for i in $(seq 40); do echo "the quick brown fox jumps over the lzy dog" | tr -d a; done >b.txt
cat >t.lam <<'END'
use "std/loss.lam"
use "std/optim.lam"
axis vocab = 30
axis seq = 8
axis embed = 16
model m(tokens[seq] in vocab) -> logits[seq, vocab] {
  param e[vocab, embed] ~ normal(0.5)
  param o[embed, vocab] ~ normal(0.5)
  return e[vocab = tokens] @embed o
}
data d { text = "a.txt"; tokenizer = char; split = 0.8 }
train m on d { loss = cross_entropy(logits, next, vocab), weight; optimizer = adamw(lr = 0.03); batch = 8; steps = 300; log = every(100) }
generate m { over = seq; feed = tokens; from = logits }
END
sed 's/^axis seq = 8/axis seq <= 8/' -i t.lam
sed 's/steps = 300/init = "w.safetensors"; steps = 300/' t.lam >spec_init.lam
ways=(interpret)
lamella run t.lam info >messages 2>&1 && ways+=("run") || grep -q "built without LLVM" messages || { cat messages; fail "run"; }
lamella interpret t.lam train --overwrite --quiet --out w.safetensors >messages
first() { sed -n 's/.*"step":1,"loss":\([^,}]*\).*/\1/p' log.json; }
said() { sed -n 's/.* loss \([0-9.]*\).*/\1/p' "$1" | tail -n 1; }
for way in "${ways[@]}"; do
  lamella $way t.lam -D data.text=b.txt eval --weights w.safetensors >messages
  right=$(said messages)
  expect_near "$right" 1.2 0.3
  # This is the first loss of a training, which has learned nothing of b.txt yet; with wrong ids it would be 10.
  for how in "t.lam train --init w.safetensors" "spec_init.lam train"; do
    rm -f log.json v.safetensors
    lamella $way ${how%% *} -D data.text=b.txt ${how#* } --overwrite --steps 1 --out v.safetensors --log log.json >messages
    expect_near "$(first)" "$right" 0.5
    # Without a step the loss is the very same, also with the file that is then written.
    lamella $way ${how%% *} -D data.text=b.txt ${how#* } --overwrite --steps 0 --out v.safetensors >messages
    expect_equal "$(said messages)" "$right" "the validation loss, $way, $how"
    lamella $way t.lam -D data.text=b.txt eval --weights v.safetensors >messages
    expect_equal "$(said messages)" "$right" "eval of what --init made, $way"
  done
  lamella $way t.lam generate --weights v.safetensors --prompt "the l" --temperature 0 --tokens 8 --quiet >text # b.txt has no 'a'
  expect_contains "$(cat text)" "the l"
  cp w.safetensors v.safetensors
  rm -f log.json
  lamella $way t.lam -D data.text=b.txt train --resume --steps 301 --out v.safetensors --log log.json >messages 2>&1
  expect_near "$(sed -n 's/.*"step":301,"loss":\([^,}]*\).*/\1/p' log.json)" "$right" 0.5
  if [[ $way == run ]]; then # the verb that compare talks to is in programs made to be compared; --time is for a step or two
    lamella compare spec_init.lam -D data.text=b.txt --passes default --time 0.1 --threads 1 --steps 1 --json compared >messages 2>&1 || { cat messages; fail compare; }
    expect_near "$(sed -n 's/.*"losses": \[\([^],]*\).*/\1/p' compared)" "$right" 0.5
  fi

  # A message names a character that the weights do not know, its place and what to do, whichever verb reads the text.
  { cat b.txt; echo "the quick fox, perhaps"; } >c.txt
  for command in "train --init w.safetensors --out n.safetensors" "train --resume --out v.safetensors" "eval --weights w.safetensors"; do
    expect_status 1 lamella $way t.lam -D data.text=c.txt $command
    expect_contains "$(cat stderr)" 'c.txt: the character "," (U+002C) in line 41 is not among the 28 that the model knows; training without --init and --resume learns others'
  done
  expect_status 1 lamella $way t.lam generate --weights w.safetensors --prompt "a, b"
  expect_contains "$(cat stderr)" '--prompt: the character "," (U+002C)'
  [[ ! -e n.safetensors ]] || fail "weights were written"
  # Bytes are not characters.
  for command in "train --init w.safetensors --out n.safetensors" "train --resume --out v.safetensors" "eval --weights w.safetensors" \
    "generate --weights w.safetensors"; do
    expect_status 1 lamella $way t.lam -D data.tokenizer=byte -D vocab=30 $command
    expect_contains "$(cat stderr)" "was trained with tokenizer = char, and here is tokenizer = byte"
  done
  # Where no weights along the axis of the ids are taken over, the characters of the new text are learned.
  sed -e 's/\be\[/f[/; s/\be\[vocab/f[vocab/; s/\bo\[/p[/; s/@embed o/@embed h @embed p/; s/^  return e/  return f/' \
    -e 's/^  param f/  param kept[embed] = 1\n  param f/; s/@embed h @embed p/* kept @embed p/' t.lam >other.lam
  sed -e 's/^  param e/  param kept[embed] = 1\n  param e/; s/@embed o/* kept @embed o/' t.lam >kept.lam
  lamella $way kept.lam train --overwrite --quiet --steps 1 --out k.safetensors >messages
  lamella $way other.lam -D data.text=c.txt train --overwrite --quiet --steps 1 --init k.safetensors --out n.safetensors >messages 2>&1
  expect_contains "$(cat messages)" "has e, o, which model m does not use"
  lamella $way other.lam generate --weights n.safetensors --prompt "fox, per" --tokens 1 --quiet >text
  rm n.safetensors k.safetensors
done

# Categories keep their numbers, whatever their order in other data; new ones are refused.
cat >c.lam <<'END'
use "std/loss.lam"
use "std/optim.lam"
axis kind = 4
axis answer = 4
model m(k in kind) -> logits[answer] {
  param w[kind, answer] ~ normal(0.5)
  return w[kind = k]
}
data d { csv = "one.csv"; split = 0.5; k = category("k", kind); a = category("a", answer) }
train m on d { loss = cross_entropy(logits, a, answer); optimizer = adamw(lr = 0.1); batch = 4; steps = 200; log = every(100) }
END
{ echo k,a; for i in $(seq 20); do printf 'red,stop\ngreen,go\nblue,wait\n'; done; } >one.csv
{ echo k,a; for i in $(seq 20); do printf 'blue,wait\ngreen,go\nred,stop\n'; done; } >two.csv
for way in "${ways[@]}"; do
  lamella $way c.lam train --overwrite --quiet --out c.safetensors >messages
  rm -f log.json
  lamella $way c.lam -D data.csv=two.csv train --overwrite --init c.safetensors --steps 1 --out d.safetensors --log log.json >messages
  expect_near "$(first)" 0 0.05
  echo "violet,go" | cat two.csv - >three.csv
  expect_status 1 lamella $way c.lam -D data.csv=three.csv train --init c.safetensors --out n.safetensors
  expect_contains "$(cat stderr)" 'three.csv:62: column k: "violet" is none of the 3 that the model was trained with; training without --init'
done

# An axis may have another name; the same names in another order are refused.
cat >wide.lam <<'END'
use "std/layers.lam"
use "std/optim.lam"
axis wide = 3
axis b = 3
model m(x[wide]) -> y[b] { return fc: dense(x, wide, b) }
data d { examples = 4; x = normal(1, wide) }
train m on d { loss = sum(output.y, b); optimizer = sgd(lr = 0.1); steps = 1 }
END
sed 's/\bwide\b/broad/g' wide.lam >broad.lam
sed 's/{ return fc: dense.*/{ param fc.weight[wide, b] = 0; param fc.bias[b] = 0; return x @wide fc.weight + fc.bias }/' wide.lam >turned.lam
for way in "${ways[@]}"; do
  lamella $way wide.lam train --overwrite --quiet --out x.safetensors >messages
  expect_equal "$(lamella $way broad.lam predict --weights x.safetensors --input x=1,2,3)" \
    "$(lamella $way wide.lam predict --weights x.safetensors --input x=1,2,3)" "what renamed axes give, $way"
  lamella $way broad.lam train --overwrite --quiet --init x.safetensors --out y.safetensors >messages
  cp x.safetensors y.safetensors
  lamella $way broad.lam train --quiet --resume --steps 2 --out y.safetensors >messages 2>&1
  cp x.safetensors y.safetensors
  for command in "predict --input x=1,2,3 --weights x.safetensors" "train --init x.safetensors --out n.safetensors" "train --resume --steps 3 --out y.safetensors"; do
    expect_status 1 lamella $way turned.lam $command
    expect_contains "$(cat stderr)" "tensor fc.weight has axes [b=3, wide=3] in the file and [wide=3, b=3] in the model"
  done
done

# Where a spec is edited while it trains, other text is read with the characters that were learned, or refused without
# harm.
[[ ${#ways[@]} == 2 ]] || exit 0
. "$LAMELLA_ROOT/tests/watch.sh"
# However long a version trains while the next one is compiled, its weights are those of 300 steps.
save() {
  sed -e "s/a.txt/$1/; s/steps = 300/steps = 1000000000/; s/every(100)/every(50)/; s/lr = 0.03/lr = where(step <= 300, 0.03, 0)/" t.lam >.next
  mv .next rings.lam
}
rm -f log.json
save a.txt
watch
wait_for "steps" steps_beyond 300
save b.txt
wait_for "an answer" more_than "goes on with [0-9]" 0
step=$(sed -n 's/.*note: step \([0-9]*\) goes on with.*/\1/p' messages)
wait_for "steps" steps_beyond "$step"
expect_near "$(sed -n 's/^{"step":'$((step + 1))',"loss":\([^,}]*\).*/\1/p' log.json)" 1.2 0.6
save c.txt
wait_for "a refusal" more_than "is not among the 28 that the model knows" 0
wait_for "a message" more_than "goes on when the spec is saved|waiting until it is saved again" 0
step=$(last_step)
save b.txt
wait_for "an answer" more_than "goes on with [0-9]" 2
wait_for "more steps" steps_beyond "$step"
status=0
kill -INT $watcher
wait $watcher || status=$?
[[ $status == 130 ]] || { cat messages; fail "exit status $status"; }
[[ ! -e rings.safetensors.lock ]] || fail "a lock is left"
