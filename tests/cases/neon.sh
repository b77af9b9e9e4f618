#!/usr/bin/env bash
# long
# Programs for NEON, under qemu: their losses are PyTorch's, gcc and clang make them compute the same bits under any options, they look
# for the instructions, and a machine of another kind refuses to run them with a reason.
. "$(dirname "$0")/../lib.sh"
export QEMU_LD_PREFIX=/usr/aarch64-linux-gnu
gcc=aarch64-linux-gnu-gcc
emulates_neon || skip "no $gcc, or no qemu-aarch64"
compilers=("$gcc")
if command -v clang-19 >/dev/null; then compilers+=("clang-19 --target=aarch64-linux-gnu"); else count_skip "no clang-19"; fi

# What is emitted compiles without a warning.
strict=(-std=c11 -O2 -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wdouble-promotion -Wcast-qual -Werror)
cp "$GOLDEN"/*.lam "$GOLDEN"/*.safetensors "$GOLDEN"/*.txt "$GOLDEN"/*.csv "$SPECS/moe.lam" "$LAMELLA_ROOT/tests/emission/kinds.lam" .
for name in gpt moe kinds; do
  lamella emit $name.lam --target=neon -o $name
  for compiler in "${compilers[@]}"; do
    $compiler "${strict[@]}" -D"${name^^}_ALONE" -c $name/$name.c -o out.o || fail "$compiler: $name alone"
    $compiler "${strict[@]}" -c $name/${name}_main.c -o out.o || fail "$compiler: the main of $name"
  done
done
for file in lamella lamella_runtime; do $gcc "${strict[@]}" -c kinds/$file.c -o $file.o || fail "$gcc: $file.c"; done

# The first ten losses are PyTorch's.
models=(gpt translate)
everything && models+=(bert llama)
for model in "${models[@]}"; do
  lamella build $model.lam --target=neon --cc=$gcc --static -O1 -o program
  qemu-aarch64 ./program train --overwrite --log log.jsonl --out $model.st >out.txt
  losses log.jsonl >losses.txt
  near "$GOLDEN/$model.losses" losses.txt 1e-5 || fail "$model"
done

# Numbers that are known from outside; with --full, tests/values.sh asks for all of tests/values.
for values in activations whole_numbers; do bash "$LAMELLA_ROOT/tests/values.sh" $values neon || fail "$values"; done

# outcome COMMAND...: prints same, different, refused (by the compiler) or declined (by the program).
outcome() {
  local status=0
  rm -f program w.st
  if ! "$@" -w -static kinds/kinds.c kinds/kinds_main.c lamella*.o -o program -lm 2>messages; then
    grep -q "numbers would be wrong" messages && echo refused || { cat messages >&2; echo "does not compile"; }
    return 0
  fi
  qemu-aarch64 ./program train --overwrite --quiet --out w.st >messages 2>&1 || status=$?
  if [[ $status == 1 && ! -e w.st ]] && grep -q "would compute wrong numbers, because" messages; then echo declined; return 0; fi
  [[ $status == 0 ]] || { echo "status $status: $(head -n 1 messages)"; return 0; }
  cmp -s w.st plain.st && echo same || echo different
}
lamella build kinds.lam --target=neon --cc=$gcc --openmp=none -o plain
qemu-aarch64 ./plain train --overwrite --quiet --out plain.st >/dev/null
for option in -O0 '-Ofast -mcpu=neoverse-v1'; do
  expect_equal "$(outcome $gcc $option)" same "$gcc $option"
done
if [[ ${#compilers[@]} == 2 ]]; then
  expect_equal "$(outcome ${compilers[1]} -O1)" same clang
  expect_equal "$(outcome ${compilers[1]} -O1 -ffast-math)" refused "clang -ffast-math"
  expect_equal "$(outcome ${compilers[1]} -O1 -ffp-contract=fast)" declined "clang -ffp-contract=fast"
fi

# Where Linux says that there are no vectors, the program ends with a message.
echo 'unsigned long __wrap_getauxval(unsigned long entry) { return entry & 0; }' >none.c
$gcc -O1 -w -static -Wl,--wrap=getauxval kinds/kinds.c kinds/kinds_main.c lamella*.o none.c -o program -lm
expect_status 1 qemu-aarch64 ./program info
expect_contains "$(cat stderr)" "error: this program is made for processors with asimd, which this one has not"

# This machine neither runs nor, by itself, compiles such code.
if [[ $(uname -m) != aarch64 ]]; then
  expect_status 1 lamella run kinds.lam --target=neon info
  expect_contains "$(cat stderr)" "lamella run: this machine cannot run code for neon, which is for AArch64;"
  expect_status 1 lamella compare kinds.lam --variant 'here:' --variant 'there: --target=neon'
  expect_contains "$(cat stderr)" "lamella compare: this machine cannot run code for neon, which is for AArch64;"
  mkdir empty
  for words in -c -S '' '--cc=gcc'; do
    status=2
    [[ $words == *gcc ]] && status=1
    expect_status $status lamella build kinds.lam --target=neon $words -o empty/out
    expect_contains "$(cat stderr)" AArch64
    expect_equal "$(ls empty)" "" "what a refused build leaves"
  done
  expect_contains "$(cat stderr)" "gcc makes no code for AArch64, which the target neon is for: name another with --cc"
fi
lamella build kinds.lam --target=neon --cc=$gcc -c -o kinds.o
expect_contains "$($($gcc -print-prog-name=objdump) -f kinds.o)" "architecture: aarch64"
