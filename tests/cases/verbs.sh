#!/usr/bin/env bash
# long
# Every verb of every spec is tried by run, build and interpret: it works where the program has the graphs for it, as
# `check` lists them, and is refused by its name elsewhere. `run VERB` leaves out what the verb does not need, so each
# is a program of its own. Usual runs leave out specs whose graphs are those of another.
. "$(dirname "$0")/../lib.sh"
lamella run "$SPECS/linear.lam" info 2>&1 | grep -q "built without LLVM" && skip "no LLVM"
head -c 3000 "$SPECS/data/tinyshakespeare.txt" >text.txt
head -n 40 "$SPECS/data/names.csv" >names.csv
head -n 12 "$SPECS/data/banking77.csv" >banking.csv
# These specs are of kinds that no file of specs/ has: with and without data, columns and windows.
cat >bare.lam <<'END'
axis vocab = 5
axis v2 == vocab
axis seq <= 8
model m(t[seq] in vocab) -> logits[seq, v2] {
  param w[vocab, v2] ~ normal(1)
  return w[vocab = t]
}
generate m { over = seq; feed = t; from = logits }
END
cat >plain.lam <<'END'
axis k = 2
model m(x[k]) -> y { return sum(x, k) }
END
cat >averaged.lam <<'END'
use "std/optim.lam"
axis k = 2
model m(x[k]) -> y { param w[k] ~ normal(1)
  return x @k w }
data d { examples = 8; x = normal(1, k); split = 0.5 }
train m on d { loss = output.y; optimizer = sgd(lr = 0.1); batch = 2; accumulate = 2; clip = 1; steps = 2; average = ema(0.9) }
END

combinations=0
# verbs SPEC PREDICT PROMPT OPTION...: tries every verb; PREDICT are the arguments of predict, PROMPT is a prompt for
# generate, and `weights` has the weights that train does not make.
weights=w.st source=()
verbs() {
  local spec=$1 predict=$2 prompt=$3 name graphs way verb status expected
  shift 3
  name=$(basename "$spec" .lam)
  graphs=$(lamella check "$spec" "$@")
  lamella build "$spec" "$@" -O0 --target=portable -o program
  rm -f w.st
  for verb in train eval predict generate info bench steps nonsense; do
    expected=0
    case $verb in
      train) [[ $graphs == *" train"* ]] || expected=2 ;;
      eval) [[ $graphs == *evaluate* ]] || expected=2 ;;
      generate) [[ $graphs == *step* ]] || expected=2 ;;
      steps | nonsense) expected=2 ;;
    esac
    for way in build run interpret; do
      local arguments=("$verb") needed=$expected
      [[ $verb == bench && $way == interpret ]] && needed=2
      case $verb in
        train) arguments+=(--overwrite --out w.st --quiet) ;;
        eval) arguments+=(--weights w.st) ;;
        predict) arguments+=(--weights "$weights" $predict) ;;
        generate) arguments+=(--weights "$weights" --prompt "$prompt" --tokens 2 "${source[@]}") ;;
        bench) arguments+=(--steps 1) ;;
      esac
      [[ $needed == 0 ]] || arguments=("$verb")
      status=0
      case $way in
        build) ./program "${arguments[@]}" ;;
        run) lamella run "$spec" "$@" -O0 --target=portable "${arguments[@]}" ;;
        interpret) lamella interpret "$spec" "$@" "${arguments[@]}" ;;
      esac >stdout 2>stderr </dev/null || status=$?
      if [[ $status != "$needed" ]] || { [[ $needed == 2 ]] && ! grep -q "there is no verb $verb" stderr; }; then
        cat stdout stderr | head -n 20
        fail "$name $* $verb by $way: exit status $status, expected $needed"
      fi
      combinations=$((combinations + 1))
    done
  done
}
small=(-D embed=16 -D train.batch=2 -D train.steps=1 -D train.eval=0 -D train.checkpoint=0)
text=("${small[@]}" -D data.text=text.txt -D data.split=0.8 -D seq=8)
rows='--out p.st'
verbs "$SPECS/shakespeare.lam" "$rows" " " "${text[@]}" -D repeat.h=2 -D head=2
if everything; then
  verbs "$SPECS/gpt2.lam" "$rows" "a" "${text[@]}" -D repeat.h=2 -D head=2 -D vocab=256
  verbs "$SPECS/llama.lam" "$rows" "a" "${text[@]}" -D repeat.layers=2 -D kv=2 -D group=2 -D hidden=24 -D vocab=256
  verbs "$SPECS/lora.lam" "$rows" " " "${text[@]}" -D repeat.h=2 -D head=2
  verbs "$SPECS/moe.lam" "$rows" " " "${text[@]}" -D head=2
  verbs "$SPECS/bert.lam" "$rows" "a" "${text[@]}" -D repeat.layer=1 -D head=2
  verbs "$SPECS/linear.lam" "$rows" "" -D train.epochs=1
  verbs "$SPECS/mlp.lam" "$rows" "" -D train.epochs=1 -D data.examples=100
fi
verbs "$SPECS/bert.lam" "$rows" "a" --model=classify -D embed=16 -D train.batch=2 -D train.epochs=1 -D seq=8 -D repeat.layer=1 -D head=2 \
  -D data.csv=banking.csv
source=(--source anna)
verbs "$SPECS/translate.lam" "$rows" "a" "${small[@]}" -D data.csv=names.csv -D data.split=0.8 -D repeat.layers=1 -D head=2
source=()
verbs averaged.lam "$rows" ""
# Without data train makes no weights.
header='{"w":{"dtype":"F32","shape":[5,5],"data_offsets":[0,100]}}      '
{ printf "\\x$(printf %x ${#header})\\0\\0\\0\\0\\0\\0\\0$header"; head -c 100 /dev/zero; } >bare.st
weights=bare.st
verbs bare.lam '--input t=0,1,2,3,4,0,1,2' "1 2"
verbs plain.lam '--input x=1,2' ""
weights=$SPECS/data/gpt-nano-sort.safetensors
verbs "$SPECS/gpt-nano-sort.lam" "--inputs $GOLDEN/gpt-nano-sort-inputs.safetensors --out p.st" "0 1 2"
echo "$combinations combinations"
