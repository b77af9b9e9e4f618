#!/usr/bin/env bash
# Programs are linked to modules of the runtime that were compiled when Lamella was built. Where these are missing or damaged, the modules
# are compiled with the program, and it does the same to the byte.
. "$(dirname "$0")/../lib.sh"

cp "$LAMELLA_ROOT/specs/shakespeare.lam" net.lam
small=(-D embed=16 -D head=2 -D pos=16 -D seq=8 -D repeat.h=1 -D "data.text=$LAMELLA_ROOT/specs/data/tinyshakespeare.txt" --no-cache)
ls "$LAMELLA_BUILD"/liblamella-clang.so >/dev/null 2>&1 || skip "this Lamella was built without LLVM 19"
mkdir copy
cp "$LAMELLA_BUILD"/lamella "$LAMELLA_BUILD"/liblamella-*.so copy
export LAMELLA_CACHE=$PWD/cache

# train NAME LAMELLA: trains by `run` and by a built program, and prints the generation.
train() {
  "$2" run net.lam "${small[@]}" train --steps 4 --quiet --seed 3 --overwrite --out "$1-run.safetensors" >/dev/null
  "$2" build net.lam "${small[@]}" -o "$1-program"
  "./$1-program" train --steps 4 --quiet --seed 3 --overwrite --out "$1-built.safetensors" >/dev/null
  "./$1-program" generate --weights "$1-built.safetensors" --prompt The --tokens 20 --seed 1 >"$1-text"
  cmp "$1-run.safetensors" "$1-built.safetensors" || fail "$1: run and build differ"
}
says() { "$1" run net.lam "${small[@]}" -v info 2>&1 >/dev/null | grep '^the runtime'; }
expect_equal "$(says "$LAMELLA_BUILD/lamella")" "the runtime was compiled before" "the build's own"
expect_equal "$(says copy/lamella)" "the runtime is compiled with the program" "without the modules"

train apart "$LAMELLA_BUILD/lamella"
train together copy/lamella
for what in run.safetensors built.safetensors text; do
  cmp "apart-$what" "together-$what" || fail "$what is another without the compiled modules"
done
for damage in 0 10 100 "$(($(wc -c <"$LAMELLA_BUILD/lamella-runtime.o") - 16))"; do
  head -c "$damage" "$LAMELLA_BUILD/lamella-runtime.o" >copy/lamella-runtime.o
  expect_equal "$(says copy/lamella)" "the runtime is compiled with the program" "$damage bytes of the modules"
done
(echo another one; tail -c +13 "$LAMELLA_BUILD/lamella-runtime.o") >copy/lamella-runtime.o
expect_equal "$(says copy/lamella)" "the runtime is compiled with the program" "the modules of another runtime"

# However a program is linked, and however hard the compiler tries, it trains to the same weights.
for options in -O0 --static --openmp=none -g; do
  lamella build net.lam "${small[@]}" $options -o program
  ./program train --steps 4 --quiet --seed 3 --overwrite --out other.safetensors >/dev/null
  cmp apart-run.safetensors other.safetensors || fail "$options: other weights"
done

# A trace is recorded by modules that are there for all programs.
"$LAMELLA_BUILD/lamella" run net.lam "${small[@]}" train --steps 2 --quiet --overwrite --out t.safetensors --trace trace.json >/dev/null
grep -q 'training step' trace.json || fail "no step in the trace"
