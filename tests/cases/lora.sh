#!/usr/bin/env bash
# slow
# Adapters of low rank: trained alone they are what PyTorch says (golden/lora.py), interpreted and compiled; they are saved alone, several
# are added to one base, and what cannot be added is refused.
. "$(dirname "$0")/../lib.sh"
spec=$GOLDEN/lora.lam base=$GOLDEN/gpt.safetensors
same() { "$LAMELLA_BUILD/tests/tools/compare_tensors" "$@"; } # EXPECTED GOT TOLERANCE PAIRS
expect_tensor() { "$LAMELLA_BUILD/tests/tools/expect_tensor" "$@"; }
names() { head -c 200000 "$1" | tr ',{' '\n\n' | sed -n 's/^"\([^"]*\)":$/\1/p' | grep -v '^__metadata__' || true; }

# Losses and adapters are PyTorch's.
names "$GOLDEN/lora.safetensors" | awk '{ print $1, $1, 0, 1 }' >pairs
[[ $(wc -l <pairs) == 14 ]] || fail "the fixture has $(wc -l <pairs) tensors"
cp "$base" before.safetensors
for way in interpret portable avx2 avx512; do
  runs_here "$way" || [[ $way == interpret ]] || { count_skip "$way"; continue; }
  command=(run "$spec" -O0 --target="$way")
  [[ $way == interpret ]] && command=(interpret "$spec")
  lamella "${command[@]}" --verify train --log log.jsonl --overwrite --out "$way.safetensors" >out.txt
  losses log.jsonl >losses.txt
  near "$GOLDEN/lora.losses" losses.txt 1e-5 || fail "losses, $way"
  same "$GOLDEN/lora.safetensors" "$way.safetensors" 2e-5 pairs || fail "adapters, $way"
done
cmp before.safetensors "$base" || fail "training changed the base"

# The file has adapters and what the optimizer keeps of them; memory and the graph have no more than that, either.
! names interpret.safetensors | grep -v '/lora_' >strange.txt || fail "the file also has $(cat strange.txt)"
[[ $(names interpret.safetensors | wc -l) == 49 ]] || fail "the file has $(names interpret.safetensors | wc -l) tensors"
lamella interpret "$spec" info >info.txt
read -r trained optimizer < <(sed -n 's/.*(\([0-9]*\) trained), \([0-9]*\) optimizer.*/\1 \2/p' info.txt)
# Of each layer (32 + 96) * 4, (32 + 32) * 4 and (32 + 128) * 2, and (32 + 32) * 3 of the positions; AdamW keeps two numbers of each.
[[ $trained == 2368 && $optimizer == 4736 ]] || fail "$trained numbers are trained, and the optimizer keeps $optimizer"
grep -q 'update_check \[update=14\]' info.txt || fail "updates of other parameters are checked"

# What evaluation says does not depend on how adapters reach the model: read in two factors, as a sum that derive computes, added when
# weights are loaded, or merged into a file.
lamella interpret "$spec" --passes=default merge --weights "$base" --lora interpret.safetensors --out merged.safetensors
tokens=$(seq -s, 1 32)
logits() { # FILE COMMAND...: predicts with these options
  local out=$1
  shift
  local command=("$1" "$2")
  shift 2
  [[ ${command[0]} == interpret ]] || command+=(-O0)
  lamella "${command[@]}" "$@" --input tokens="$tokens" --out "$out" >predict.txt
}
rules=$(sed -n 's/^pipeline { \(.*\) }/\1/p' "$spec" | tr ';' ',')
logits factors.st interpret "$spec" predict --weights interpret.safetensors
echo logits logits >of_logits
for way in interpret run; do
  logits sum.st $way "$spec" --passes="${rules//)/, merge = 1)}" predict --weights interpret.safetensors
  logits added.st $way "$spec" --passes=default predict --weights "$base" --lora interpret.safetensors
  logits found.st $way "$spec" --passes=default predict --weights interpret.safetensors
  logits file.st $way "$spec" --passes=default predict --weights merged.safetensors
  logits again.st $way "$spec" predict --weights "$base" --lora interpret.safetensors
  for file in sum added found file again; do
    same factors.st $file.st 2e-5 of_logits || fail "$file, $way"
  done
  logits plain.st $way "$spec" predict --weights "$base"
  ! same factors.st plain.st 1e-2 of_logits >out.txt || fail "adapters change nothing, $way"
done

lamella run "$spec" -O0 --passes=default eval --weights "$base" --lora interpret.safetensors --lora interpret.safetensors,-1 >twice.txt
lamella run "$spec" -O0 --passes=default eval --weights "$base" >plain.txt
cmp twice.txt plain.txt || fail "adding adapters and taking them away again changes the loss"
lamella run "$spec" -O0 --passes=default generate --weights "$base" --lora interpret.safetensors --prompt the --tokens 20 --temperature 0 \
  --quiet >added.txt
lamella run "$spec" -O0 --passes=default generate --weights merged.safetensors --prompt the --tokens 20 --temperature 0 --quiet >file.txt
cmp added.txt file.txt || fail "text by merged weights is another"

# A run that is stopped and resumed ends with the bytes of one that was not, by the base that the file names, relative to itself, or by
# one that --init names; also with micro-batches and averages.
mkdir -p folder/deeper
cp "$base" folder/base.safetensors
for more in 'train.accumulate=1' 'train.accumulate=2 -D train.average=ema(0.9)'; do
  # shellcheck disable=SC2086 # words
  lamella build "$spec" -O0 -D $more -o net
  steps=4
  ./net train --init folder/base.safetensors --out whole.safetensors --steps $steps --overwrite >out.txt
  ./net train --init folder/base.safetensors --out folder/deeper/half.safetensors --steps 2 --overwrite >out.txt
  (cd folder && ../net train --resume --out deeper/half.safetensors --steps $steps) >out.txt 2>&1
  ./net train --init folder/base.safetensors --out folder/deeper/other.safetensors --steps $steps --overwrite >out.txt
  cmp folder/deeper/half.safetensors folder/deeper/other.safetensors || fail "resumed adapters differ, $more"
  mv folder/base.safetensors folder/moved.safetensors
  expect_status 1 ./net train --resume --out folder/deeper/half.safetensors --steps $steps
  expect_contains "$(cat stderr)" 'half.safetensors has adapters for the weights in folder/deeper/../base.safetensors, which is not there: --init FILE names'
  ./net train --init folder/moved.safetensors --resume --out folder/deeper/half.safetensors --steps $steps >out.txt 2>&1
  mv folder/moved.safetensors folder/base.safetensors
done

# Adapters of ranks and scales of their own, on one base: weight = 1 + scale * alpha / rank * A B.
cat >two.lam <<'END_SPEC'
use "std/optim.lam"
axis a = 2
axis b = 3
model two(x[a]) -> y[b] {
  param weight[a, b] = 1
  return x @a weight
}
data d { examples = 4; x = normal(1, a); t = 0 }
train two on d { loss = (y - t) ^ 2; optimizer = sgd(lr = 0.1); steps = 1 }
END_SPEC
# tensors FILE HEADER HEX: a safetensors file of that header and data
tensors() {
  printf "$(printf '%016x\n' ${#2} | fold -w 2 | tac | sed 's/^/\\x/' | tr -d '\n')%s$(fold -w 2 <<<"$3" | sed 's/^/\\x/' | tr -d '\n')" "$2" >"$1"
}
float() { case $1 in 0.5) echo 0000003f ;; 1) echo 0000803f ;; 2) echo 00000040 ;; 3) echo 00004040 ;; 4) echo 00008040 ;; esac; }
floats() { for number in "$@"; do float "$number"; done | tr -d '\n'; }
tensors base.st '{"weight":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}}' "$(floats 1 1 1 1 1 1)"
axes='"__metadata__":{"axes:weight/lora_A":"a,rank","axes:weight/lora_B":"rank,b"}'
tensors first.st "{$axes"',"weight/lora_A":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]},"weight/lora_B":{"dtype":"F32","shape":[1,3],"data_offsets":[8,20]},"weight/lora_alpha":{"dtype":"F32","shape":[],"data_offsets":[20,24]}}' \
  "$(floats 1 2 1 2 0.5 3)"
tensors second.st "{$axes"',"weight/lora_A":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]},"weight/lora_B":{"dtype":"F32","shape":[2,3],"data_offsets":[16,40]},"weight/lora_alpha":{"dtype":"F32","shape":[],"data_offsets":[40,44]}}' \
  "$(floats 1 0.5 2 1 1 2 3 2 4 1 4)"
for way in interpret run; do
  lamella $way two.lam merge --weights base.st --lora first.st --out one.st --overwrite
  expect_tensor one.st weight 2x3 0 4 7 2.5 7 13 4
  lamella $way two.lam merge --weights base.st --lora first.st,0.5 --lora second.st,-2 --out both.st --overwrite
  expect_tensor both.st weight 2x3 0 -5.5 -12 -12.25 -12 -25 -25.5
  lamella $way two.lam predict --weights base.st --lora=first.st,0.5 --lora second.st,-2 --input x=1,2 --out y.st >out.txt
  expect_tensor y.st y 1x3 0 -29.5 -62 -63.25
  lamella $way two.lam --passes='lora(2, "weight")' predict --weights base.st --lora=first.st,0.5 --lora second.st,-2 --input x=1,2 \
    --out y.st >out.txt
  expect_tensor y.st y 1x3 0 -29.5 -62 -63.25
done

# What does not fit is told, and nothing is written.
refused() { # MESSAGE ARGUMENT...
  local message=$1
  shift
  expect_status 1 lamella interpret two.lam merge --out wrong.st "$@"
  expect_contains "$(cat stderr)" "$message"
  [[ ! -e wrong.st ]] || fail "something was written"
}
refused 'base.st has no adapters: no tensor in it is called NAME/lora_A' --weights base.st --lora base.st
refused 'cannot open none.st' --weights base.st --lora none.st
refused '--lora first.st,half: after the comma a number is wanted, the scale: --lora FILE,0.5' --weights base.st --lora first.st,half
refused 'has an adapter for h.0.attn.c_attn.weight, which model two does not have' --weights base.st --lora interpret.safetensors
refused 'does not fit model two' --weights "$base" --lora first.st
sed 's/"a,rank"/"c,rank"/' first.st >renamed.st
refused 'factors with axes [c=2, rank=1] and [rank=1, b=3] do not fit parameter weight, which has axes [a=2, b=3] in the model' \
  --weights base.st --lora renamed.st
sed 's/lora_alpha/lora_gamma/' first.st >nameless.st
refused 'nameless.st has no weight/lora_alpha, one number, for its weight/lora_A' --weights base.st --lora nameless.st
refused 'first.st does not name the weights' --weights first.st
expect_status 1 lamella interpret two.lam merge --weights base.st --lora first.st --out one.st
expect_contains "$(cat stderr)" 'one.st is there already: --overwrite replaces it'
expect_status 1 lamella interpret two.lam merge --weights base.st
expect_contains "$(cat stderr)" '--out FILE says it'
expect_status 2 lamella interpret two.lam train --lora first.st --out x.st
expect_contains "$(cat stderr)" 'train has no option --lora'
sed 's/\("vocabulary":"[^"]*\)t/\1#/' interpret.safetensors >letters.st
expect_status 1 lamella interpret "$spec" --passes=default eval --weights interpret.safetensors --lora letters.st
expect_contains "$(cat stderr)" 'letters.st was trained with another vocabulary than the weights of model gpt: the same ids mean something else'
expect_status 1 lamella interpret "$spec" --passes='lora(2, "*.attn.*")' train --resume --out interpret.safetensors
expect_contains "$(cat stderr)" 'interpret.safetensors (gpt) does not fit model gpt: it lacks nothing; it has'

# A program of a spec with adapters has all this where it was emitted, too; other emitted programs carry nothing of it.
lamella emit "$spec" -o emitted
lamella emit "$GOLDEN/gpt.lam" -o plain
grep -q lam_merge_verb emitted/lora_main.c || fail "the emitted program has no verb merge"
! grep -q lam_merge_verb plain/*.c || fail "a program without adapters carries what merges them"
