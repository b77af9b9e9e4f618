#!/usr/bin/env bash
# `emit --project` writes what builds a folder of models: a Makefile, a CMakeLists.txt, an example of a program around each model, and a
# README that shows it. They know the models that were in the folder before, and overwrite nothing of the user's.
. "$(dirname "$0")/../lib.sh"

cat >small.lam <<'END'
axis n = 3
model small(x[n], k in n, on: bool) -> y[n], best {
  param w[n] ~ normal(1)
  y = where(on, x * w, x)
  return y, sum(y, n) * w[n = k]
}
END
cat >all.lam <<'END'
axis n = 3
model m(x[n]) -> y[n] { return x * 2 }
END
strict=(-std=c11 -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wdouble-promotion -Werror)

# shows FOLDER NAME: the README has the example, which prints outputs.
shows() {
  awk -v head="## $2_example.c" '$0 == head {on = 1} on && /^```$/ {exit} on && text {print} on && /^```c$/ {text = 1}' "$1/README.md" >shown
  cmp shown "$1/$2_example.c" || fail "README.md shows another $2_example.c"
  gcc "${strict[@]}" -fsyntax-only "$1/$2_example.c" || fail "$2_example.c has warnings"
}

lamella emit small.lam "$SPECS/shakespeare.lam" --target=portable --project -o both
make -s -C both OPENMP= CFLAGS=-O1 >make.out 2>&1 || fail "make: $(cat make.out)"
for name in small shakespeare; do shows both $name; done
expect_contains "$(both/small_example)" "best, the first element: "
expect_contains "$(both/shakespeare_example)" "logits, the first element: "
expect_contains "$(both/small info)" "program   small"
# The weights of a file, and an error as a message.
expect_equal "$(both/small_example nowhere.safetensors 2>&1 | grep -c nowhere.safetensors)" 1 "a missing file is named"
if both/small_example nowhere.safetensors >/dev/null 2>&1; then fail "a missing file is no error"; fi

# Another model joins, and the files are about all three.
lamella emit all.lam --name=third --target=portable --project -o both
for file in Makefile CMakeLists.txt README.md; do
  for name in small shakespeare third; do grep -q "$name" "both/$file" || fail "$file has no $name"; done
done
cmake -S both -B out -D CMAKE_BUILD_TYPE=Debug >cmake.out && cmake --build out -j 2 >>cmake.out || fail "cmake: $(tail -n 20 cmake.out)"
expect_contains "$(out/third_example)" "y, the first element: 1"
expect_contains "$(out/small info)" "program   small"

# Weights that are a part of the program.
lamella emit "$SPECS/linear.lam" --target=portable --project -o line
make -s -C line OPENMP= CFLAGS=-O1 >make.out 2>&1 || fail "make: $(cat make.out)"
(cd line && ./linear train --quiet --steps 20 --out ../linear.safetensors --overwrite) >/dev/null
lamella emit "$SPECS/linear.lam" --target=portable --only=predict --weights=linear.safetensors --project -o baked
make -s -C baked OPENMP= CFLAGS=-O1 >make.out 2>&1 || fail "make with weights: $(cat make.out)"
expect_equal "$(baked/linear_example)" "$(line/linear_example linear.safetensors)" "weights of the program and of the file"
shows baked linear

# What the user wrote stays, and then nothing is written.
mkdir own
echo 'all: ; echo mine' >own/Makefile
if lamella emit small.lam --target=portable --project -o own 2>stderr; then fail "a Makefile of the user's was lost"; fi
expect_contains "$(cat stderr)" "own/Makefile is there, and Lamella did not write it: nothing is written; emit into another folder, or without --project"
expect_equal "$(ls own)" Makefile "nothing is written"
lamella emit small.lam --target=portable -o own || fail "without --project a Makefile is none of emit's business"
expect_equal "$(cat own/Makefile)" 'all: ; echo mine' "the user's Makefile"
if lamella emit all.lam --target=portable --project -o other 2>stderr; then fail "a program called all"; fi
expect_contains "$(cat stderr)" "cannot build a program that is called all; give it another name by --name"
[[ ! -e other ]] || fail "something was written"
for name in Makefile makefile; do
  if lamella emit all.lam --name=$name --target=portable --project -o other 2>stderr; then fail "a program called $name"; fi
done
echo '# mine; the sources were Written by Lamella' >own/Makefile
if lamella emit small.lam --target=portable --project -o own 2>stderr; then fail "a Makefile that speaks of Lamella was lost"; fi
if lamella emit small.lam --target=portable --project --bench -o other 2>stderr; then fail "--bench"; fi
expect_contains "$(cat stderr)" "--bench has kernels that lamella_runtime.c times, which the examples of a project do without"
# No model's file is another's.
for ending in main example weights; do
  cp all.lam small_$ending.lam
  if lamella emit small.lam small_$ending.lam --target=portable -o other 2>stderr; then fail "small_$ending.c is two files"; fi
  expect_contains "$(cat stderr)" "would both have the file small_$ending.c"
done
# An example of the user's is none of the project's.
lamella emit small.lam --target=portable -o mixed
echo 'int mine;' >mixed/small_example.c
lamella emit all.lam --name=third --target=portable --project -o mixed
expect_equal "$(cat mixed/small_example.c)" 'int mine;' "the user's example"
grep -q small_example mixed/Makefile && fail "the user's example is built"
make -s -C mixed OPENMP= CFLAGS=-O0 >make.out 2>&1 || fail "make beside an example of the user's: $(cat make.out)"
# A project stays one: what is emitted into its folder later is in it, too.
lamella emit all.lam --name=third --target=portable --only=predict -o mixed
touch mixed/lamella.h
make -s -C mixed OPENMP= CFLAGS=-O0 >make.out 2>&1 || fail "make again: $(cat make.out)"

# Training: batches before their step, and the spec's number of steps. Generation: what is prepared before the first step. Reals of double.
lamella emit "$SPECS/shakespeare.lam" -D train.accumulate=4 --only=train --target=portable --project -o training
grep -q 'shakespeare_accumulate(m, 1' training/shakespeare_example.c || fail "no batch is accumulated"
grep -q 'steps = 1' training/shakespeare_example.c && fail "the number of steps is lost"
lamella emit "$SPECS/translate.lam" --only=step --target=portable --project -o generation
grep -n 'translate_prepare(m\|translate_step(m' generation/translate_example.c | grep -q prepare || fail "nothing is prepared"
lamella emit small.lam --target=reference --project -o double
for compiler in gcc clang-19; do
  for file in training/shakespeare generation/translate double/small; do
    $compiler "${strict[@]}" -fsyntax-only ${file}_example.c || fail "$compiler: ${file}_example.c has warnings"
  done
done
# The command at the head of the file is the one that compiles its program.
sed -n 's|^     cc \(.*\) \*/$|cc \1|p' double/small.c | head -n 1 >command
(cd double && bash -e ../command && ./small info >/dev/null) || fail "the command fails: $(cat command)"
exit 0
