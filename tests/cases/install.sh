#!/usr/bin/env bash
# slow
# What `cmake --install` puts under DESTDIR is moved elsewhere, away from the build: no file of it has a path of the
# build, every verb works, and pkg-config and a CMake project find it. The executable alone does what needs no other
# part, and says what it lacks.
. "$(dirname "$0")/../lib.sh"
unset LAMELLA_LIBRARY LAMELLA_JIT

DESTDIR=$WORK/stage cmake --install "$LAMELLA_BUILD" --prefix /opt/lamella >messages || { cat messages; fail "cmake --install"; }
mkdir tools
mv stage/opt/lamella "tools/the compiler"
installed="$WORK/tools/the compiler"
expect_equal "$(find stage -type f)" "" "what is beside the prefix"
if grep -raqF -e "$LAMELLA_ROOT" -e "$LAMELLA_BUILD" -e "$WORK" -e /opt/lamella "$installed"; then
  fail "paths in: $(grep -raoF -e "$LAMELLA_ROOT" -e "$LAMELLA_BUILD" -e "$WORK" -e /opt/lamella "$installed" | sort | uniq -c | head)"
fi
lamella=$installed/bin/lamella
jit=1
"$lamella" run "$SPECS/linear.lam" info 2>&1 | grep -q "built without LLVM" && { jit=0; count_skip "no LLVM"; }

# --version prints the number, the commit where git knows it, LLVM and the targets.
expect_equal "$("$lamella" --version)" "$(lamella --version)" "--version"
version=$(lamella --version)
commit=$(git -C "$LAMELLA_ROOT" rev-parse --short=12 HEAD 2>/dev/null) || commit=
[[ $version =~ ^lamella\ [0-9]+\.[0-9]+\.[0-9]+ ]] || fail "$version"
[[ -z $commit || $version == *"(commit "* ]] || fail "no commit: $version"
expect_contains "$version" "targets: portable, avx2, avx512, neon, reference; native is "
[[ $jit == 0 ]] || [[ $version =~ LLVM:\ .*clang\ version\ 19\. ]] || fail "$version"

# This project has a spec, the files that it uses, and its data.
mkdir -p project/specs/data project/parts
cat >project/specs/table.lam <<'END'
use "std/optim.lam"
use "../parts/model.lam"
data d { csv = "data/table.csv"; x = number("x"); t = number("t") }
train m on d { loss = (y - t) ^ 2; optimizer = sgd(lr = 0.1); steps = 3 }
END
echo 'model m(x) -> y { param w = 0.5
  return w * x }' >project/parts/model.lam
printf 'x,t\n1.5,2.25\n0.5,0.75\n' >project/specs/data/table.csv
"$lamella" check project/specs/table.lam >checked
expect_contains "$("$lamella" interpret project/specs/table.lam train --quiet --out w.st)" "w 1.00"
[[ $jit == 0 ]] || expect_contains "$("$lamella" run project/specs/table.lam train --quiet --overwrite --out w.st)" "w 1.00"
"$lamella" build project/specs/table.lam -O0 -o table
expect_contains "$(cd / && "$WORK/table" train --quiet --overwrite --out "$WORK/w.st")" "w 1.00"
# The examples are installed too.
expect_contains "$("$lamella" check "$installed/share/lamella/specs/shakespeare.lam")" "shakespeare.lam: model gpt"
[[ -s $installed/share/lamella/specs/data/tinyshakespeare.txt ]] || fail "no data of the examples"
[[ -s $installed/share/doc/lamella/docs/language.md ]] || fail "no manual"

if command -v pkg-config >/dev/null; then
  export PKG_CONFIG_PATH=$installed/lib/pkgconfig
  found=$(pkg-config --variable=lamella lamella)
  "${found//\\/}" check project/specs/table.lam >found
  cmp checked found
  expect_contains "$version" "lamella $(pkg-config --modversion lamella)"
  expect_contains "$(pkg-config --libs lamella)" "-lm"
else
  count_skip "no pkg-config"
fi

# One CMake project calls a model, and one is a program of its own; both are built again when a file of the spec
# changes.
cat >project/CMakeLists.txt <<'END'
cmake_minimum_required(VERSION 3.20)
project(caller C)
find_package(lamella 0.1 REQUIRED)
lamella_add_model(net SPEC specs/table.lam OPTIONS --target=portable -D train.steps=2 DEPENDS parts/model.lam)
lamella_add_model(two SPEC specs/table.lam specs/other.lam DEPENDS parts/model.lam)
lamella_add_model(renamed SPEC specs/3d.lam NAME pair DEPENDS parts/model.lam)
lamella_add_program(trainer SPEC specs/table.lam DEPENDS parts/model.lam)
add_executable(caller caller.c)
target_link_libraries(caller net)
END
cat >project/caller.c <<'END'
#include <stdio.h>
#include "table.h"
int main(int count, char **arguments) {
  struct table *m = table_create();
  if (!m || count < 2 || table_load(m, arguments[1]) != TABLE_OK) return 1;
  printf("%.2f\n", *m->parameters.w);
  table_destroy(m);
  return 0;
}
END
# refuses_project LINE TEXT: a project with that line instead of lamella_add_model fails with TEXT.
refuses_project() {
  sed "s|^lamella_add_model(two .*|$1|" project/CMakeLists.txt >wrong.txt
  mkdir -p wrong
  cp wrong.txt wrong/CMakeLists.txt
  cp -r project/specs project/parts project/caller.c wrong
  rm -rf wrong/build
  ! cmake -S wrong -B wrong/build -DCMAKE_PREFIX_PATH="$installed" >messages 2>&1 || fail "no error: $1"
  tr -s '\n ' ' ' <messages | grep -qF -- "$2" || { cat messages; fail "no '$2' for: $1"; }
}
cp project/specs/table.lam project/specs/3d.lam
refuses_project 'lamella_add_model(two SPEC specs/3d.lam)' "3d.lam is no name in C; NAME PREFIX gives the model one"
refuses_project 'lamella_add_model(two SPEC specs/none.lam)' "there is no $WORK/wrong/specs/none.lam"
refuses_project 'lamella_add_model(two specs/table.lam)' "two: the arguments are TARGET SPEC FILE"
refuses_project 'lamella_add_program(two SPEC specs/table.lam parts/model.lam)' "a program is made of one spec"
cp project/specs/table.lam project/specs/other.lam
refuses_project 'lamella_add_model(two SPEC specs/other.lam)\nadd_executable(both caller.c)\ntarget_link_libraries(both net two)' \
  'INTERFACE_LAMELLA_LIBRARY_OF_ALL_MODELS property of "two" does not agree'
cmake -S project -B project/build -DCMAKE_PREFIX_PATH="$installed" -DCMAKE_BUILD_TYPE=Debug >messages 2>&1 || { cat messages; fail "find_package"; }
cmake --build project/build >messages 2>&1 || { cat messages; fail "the CMake project"; }
expect_contains "$(project/build/trainer train --quiet --overwrite --out w.st)" "w 1.00"
expect_equal "$(project/build/caller w.st)" 1.00 "what a C program loads"
[[ -s project/build/libtwo.a && -s project/build/two.lamella/other.h ]] || fail "two models in a library"
grep -q "struct pair \*pair_create" project/build/renamed.lamella/pair.h || fail "NAME"
cmake --build project/build >messages 2>&1
! grep -q "Compiling table to C" messages || fail "emitted again for nothing"
sed -i 's/w = 0.5/w = 0.25/' project/parts/model.lam
cmake --build project/build >messages 2>&1
grep -q "Compiling table to C" messages || fail "a change of what the spec uses is not noticed"
[[ $(project/build/trainer train --quiet --overwrite --out w.st) != *"w 1.00"* ]] || fail "the program is the old one"
mv project moved
expect_contains "$(cd / && "$WORK/moved/build/trainer" train --quiet --overwrite --out "$WORK/w.st")" "w "

# The executable is alone in an empty folder.
mkdir alone
cp "$lamella" alone
cd alone
cp ../moved/parts/model.lam .
cat >net.lam <<'END'
use "std/optim.lam"
use "model.lam"
data d { examples = 10; x = normal(1); t = 2 * x }
train m on d { loss = (y - t) ^ 2; optimizer = sgd(lr = 0.1); steps = 3 }
END
expect_status 0 ./lamella check net.lam
expect_status 0 ./lamella show net.lam --stage=c
expect_status 0 ./lamella emit net.lam -o emitted
expect_status 0 ./lamella interpret net.lam train --out w.st
expect_status 0 ./lamella --version
if [[ $jit == 1 ]]; then
  missing="liblamella-clang.so is missing, looked for in $WORK/alone and $WORK/alone/../lib/lamella; it belongs to this Lamella"
  expect_contains "$(cat stdout)" "LLVM: $missing"
  expect_status 1 ./lamella run net.lam train
  expect_contains "$(cat stderr)" "lamella: error: $missing"
  expect_status 1 ./lamella compare net.lam
  expect_contains "$(cat stderr)" "$missing"
  expect_status 0 ./lamella build net.lam -O0 # by another compiler
  expect_contains "$(cat stderr)" "lamella: note: $missing"
  ./net train --quiet --out w2.st >printed
  cp "$installed"/lib/lamella/liblamella-clang.so .
  expect_status 1 ./lamella run net.lam train
  expect_contains "$(cat stderr)" "liblamella-load.so is missing"
  expect_status 1 env LAMELLA_JIT="$WORK/nowhere" ./lamella run net.lam train
  expect_contains "$(cat stderr)" "looked for in $WORK/nowhere; it belongs"
  cp "$installed"/lib/lamella/liblamella-load.so .
  expect_status 0 ./lamella run net.lam train --quiet --out w3.st
  cmp w2.st w3.st
  # LAMELLA_LLVM names another LLVM, here an empty folder, which has no OpenMP.
  mkdir nothing
  LAMELLA_LLVM=$PWD/nothing ./lamella build net.lam -O0 --no-cache -o threads 2>messages || true
  expect_contains "$(cat messages)" "libomp-19-dev is not installed"
fi
