#!/usr/bin/env bash
# slow
# Weights of few bits in files: the verb quantize writes them, they predict to the byte as the float32 file that they were made of, every
# target writes and reads the same file, and pipelines that keep weights otherwise read it as reals. A file that numpy wrote predicts what
# numpy says. Files that are damaged or of another model are refused with a reason.
. "$(dirname "$0")/../lib.sh"
cp "$GOLDEN/gpt.lam" "$GOLDEN/gpt.safetensors" "$GOLDEN/text.txt" .
tokens=$(seq -s, 1 32)

# predict PROGRAM WEIGHTS OUT
predict() { "$1" predict --weights "$2" --input tokens="$tokens" --out "$3" >out.txt; }
same() { cmp -s "$1" "$2" || fail "$3"; }
sized() { stat -c %s "$1"; }

# Each way: from float32 and from the file in steps, on each target.
# The sums of hqq have an order of their own on each target.
ways=('quantize(i8)' 'quantize(i4)' 'quantize(i4, method = table)' 'quantize(i4, method = hqq)' 'quantize(i4, activations = i8)'
  'quantize(bf16)' 'quantize(i4, group = 8, "*.c_*.weight")')
for i in "${!ways[@]}"; do
  for target in portable avx2 avx512; do
    [[ $target == portable ]] || runs_here $target || { count_skip "$target"; continue; }
    [[ $target == portable || ${ways[i]} != *hqq* ]] || continue
    [[ $target == portable || $i -lt 3 ]] || everything || continue
    lamella build gpt.lam -O1 --target=$target --passes="${ways[i]}" -o "$target$i"
    ./"$target$i" quantize --weights gpt.safetensors --out "$target.st" >out.txt
    expect_contains "$(cat out.txt)" "parameters in steps in $target.st"
    same "$target.st" portable.st "the file of $target, ${ways[i]}"
    predict ./"$target$i" gpt.safetensors a.st
    predict ./"$target$i" portable.st b.st
    same a.st b.st "predictions of $target, ${ways[i]}"
  done
  mv portable.st way$i.st
  # What has been read can be written again, and stays the same.
  ./portable$i quantize --weights way$i.st --out again.st >out.txt
  same again.st way$i.st "steps that were read and written, ${ways[i]}"
done
[[ $(sized way0.st) -lt $(($(sized gpt.safetensors) * 4 / 10)) ]] || fail "the file has $(sized way0.st) bytes"
if emulates_neon; then
  lamella build gpt.lam --target=neon --cc=aarch64-linux-gnu-gcc --static -O1 --passes='quantize(i8)' -o neon
  QEMU_LD_PREFIX=/usr/aarch64-linux-gnu qemu-aarch64 ./neon quantize --weights gpt.safetensors --out neon.st >out.txt
  same neon.st way0.st "the file of neon"
else
  count_skip "no AArch64"
fi

# Pipelines that keep weights otherwise read steps as reals; and train from them.
lamella build gpt.lam -O1 -o plain
echo 'logits logits 0 1 2' >pairs
for i in 0 1 2 3; do
  predict ./plain way$i.st wide.st
  predict ./portable$i way$i.st narrow.st
  "$LAMELLA_BUILD/tests/tools/compare_tensors" wide.st narrow.st 1e-5 pairs >out.txt || fail "steps as reals: $(cat out.txt)"
  lamella interpret gpt.lam predict --weights way$i.st --input tokens="$tokens" --out interpreted.st >out.txt
  "$LAMELLA_BUILD/tests/tools/compare_tensors" interpreted.st narrow.st 1e-5 pairs >out.txt || fail "interpreted: $(cat out.txt)"
done
predict ./portable0 way1.st other.st
predict ./portable1 way0.st other.st
./plain train --steps 1 --init way1.st --out trained.st --quiet >out.txt
./portable1 train --steps 1 --init way1.st --out trained1.st --quiet >out.txt
expect_status 1 ./plain train --resume --out way0.st
expect_contains "$(cat stderr)" "does not fit model gpt"
expect_status 1 ./portable0 quantize --weights gpt.safetensors
expect_contains "$(cat stderr)" "which file is to be written? --out FILE names it"
expect_status 1 ./portable0 quantize --weights way0.st --out ./way0.st
expect_contains "$(cat stderr)" "has the weights themselves: --out names another file"
expect_status 2 ./plain quantize --weights gpt.safetensors --out new.st
expect_contains "$(cat stderr)" "there is no verb quantize"

# A forward-only model has no memory for parameters in steps, and says so; it saves what it has.
lamella emit gpt.lam --target=portable --only=predict,step --passes='quantize(i4)' -o vendor
gcc -std=c11 -g -O1 -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror -fsanitize=address,undefined -fno-sanitize-recover=all \
  -Ivendor "$LAMELLA_ROOT/tests/library/quantized.c" vendor/gpt.c vendor/lamella.c -o vendored -lm || fail "quantized.c does not compile"
./vendored gpt.safetensors way1.st saved.st >out.txt 2>&1 || { cat out.txt; fail "a model in steps"; }

# Emitted programs read such files only where they quantise; others say what reads them, and change nothing.
lamella emit gpt.lam --target=portable -o emitted
lamella emit gpt.lam --target=portable --passes='quantize(i8)' -o emitted8
! grep -q lam_find_shared emitted/* || fail "a program that does not quantise has the module parts"
lamella emit "$GOLDEN/gpt.lam" --only=train --passes="quantize(i8)" --target=portable -o trains
grep -q lam_find_shared trains/* || fail "a program that quantises, emitted to train alone, lacks the module parts"
for folder in emitted emitted8; do gcc -std=c11 -O1 $folder/*.c -o $folder/gpt -lm; done
advice="to read weights of few bits, a program must be emitted with quantize(...) in its pipeline, or made by lamella build"
for part in 0:wte.weight/i8 1:wte.weight/i8 2:wte.weight/i8 3:wte.weight/i8 5:wte.weight/bf16; do
  expect_status 1 emitted/gpt predict --weights "way${part%%:*}.st" --input tokens="$tokens" --out none.st
  expect_contains "$(cat stderr)" "way${part%%:*}.st has ${part#*:} in place of wte.weight: $advice"
done
expect_status 1 emitted/gpt train --steps 1 --init way1.st --out none.st --quiet
expect_contains "$(cat stderr)" "$advice"
[[ ! -e none.st ]] || fail "something was written"
predict emitted/gpt gpt.safetensors a.st
for way in 0 1; do
  predict emitted8/gpt way$way.st a.st
  predict ./portable0 way$way.st b.st
  same a.st b.st "steps of way $way in an emitted program"
done
emitted8/gpt train --steps 1 --init way1.st --out trained8.st --quiet >out.txt

# numpy's file, whose steps no program would find by itself.
cp "$GOLDEN/quantized.safetensors" .
numbers=$(sed -n 2p "$GOLDEN/quantized.logits") text=$(sed -n 's/^tokens //p' "$GOLDEN/quantized.logits")
for target in portable avx2 avx512; do
  [[ $target == portable ]] || runs_here $target || continue
  for command in run interpret; do for passes in 'quantize(i4)' default; do
    options=(--target=$target)
    [[ $command == run ]] || options=()
    [[ $command == run || $target == portable ]] || continue
    lamella $command gpt.lam -D seq=8 "${options[@]}" --passes="$passes" predict --weights quantized.safetensors --input tokens="$text" --out got.st >out.txt
    # shellcheck disable=SC2086 # words
    "$LAMELLA_BUILD/tests/tools/expect_tensor" got.st logits 1x8x65 2e-5 $numbers || fail "numpy's file, $command, $target, $passes"
  done; done
done

# Bad files.
# refused PART PROGRAM: the program refuses bad.st with this in its message.
refused() {
  expect_status 1 "$2" predict --weights bad.st --input tokens="$tokens"
  expect_contains "$(cat stderr)" "$1"
}
edit() { LC_ALL=C sed "$1" "$2" >bad.st; }
for program in ./portable0 ./plain; do
  edit 's#"wte.weight/scale"#"wte.weight/skale"#' way0.st
  refused "bad.st: tensor wte.weight/i8 is in steps, and wte.weight/scale is not there" $program
  edit 's#"wte.weight/scale":{"dtype":"F32","shape":\[65,1\]#"wte.weight/scale":{"dtype":"F32","shape":[1,65]#' way0.st
  refused "wte.weight/scale (F32) has shape [1, 65], which is no scale of wte.weight/i8 with shape [65, 32]" $program
  edit 's#"wte.weight/scale":{"dtype":"F32"#"wte.weight/scale":{"dtype":"I32"#' way0.st
  refused "wte.weight/scale (I32)" $program
  edit 's#"wpe.weight/i8":{"dtype":"I8","shape":\[32,32\]#"wpe.weight/i8":{"dtype":"I8","shape":[16,64]#' way0.st
  refused "wpe.weight" $program
  edit 's#"wpe.weight/\(i8\|scale\)"#"wpf.weight/\1"#g' way0.st
  refused "does not fit model gpt: it lacks wpe.weight" $program
  head -c 20000 way0.st >bad.st
  refused "ends beyond the file, which is not whole" $program
done
lamella build gpt.lam -O1 -D embed=64 --passes='quantize(i8)' -o other
cp way0.st bad.st
refused "tensor wte.weight has axes [vocab=65, embed=32] in the file and [vocab=65, embed=64] in the model" ./other
# The last byte belongs to a step of four bits.
head -c -1 way1.st >bad.st
printf '\x10' >>bad.st
refused "more than 4 bits" ./portable1
head -c -1 way2.st >bad.st
printf '\x10' >>bad.st
for program in ./portable2 ./plain; do refused "holds 16, more than 4 bits" $program; done
edit 's#"h.0.mlp.c_fc.weight/offset"#"h.0.mlp.c_fc.weight/offsat"#' way3.st
for program in ./portable3 ./plain; do refused "is in steps, and h.0.mlp.c_fc.weight/offset is not there" $program; done
exit 0
