#!/usr/bin/env bash
# slow
# With `build --openmp=shared|static|none` and `--static`, by each compiler there is, a program needs the right shared
# libraries and trains the same. Where a library is missing, the message says what to install.
. "$(dirname "$0")/../lib.sh"
spec=$SPECS/linear.lam
needs() { objdump -p "$1" | awk '/NEEDED/ {print $2}' | grep -v '^ld-' | sort | tr '\n' ' '; }
lamella build "$spec" -O0 -o usual
expected=$(./usual train --quiet --out usual.st)
# trains LIBRARIES OPTION...: the program needs the libraries that match the pattern and makes the same weights, also on
# two threads.
trains() {
  local libraries=$1
  shift
  rm -f program
  expect_status 0 lamella build "$spec" -O0 "$@" -o program
  [[ $(needs program) =~ ^$libraries$ ]] || fail "$* needs $(needs program)"
  expect_equal "$(./program train --quiet --overwrite --threads 2 --out w.st)" "$expected" "what a program of $* learns"
  cmp w.st usual.st || fail "the weights of $*"
}
refuses() { # STATUS TEXT OPTION...
  local status=$1 text=$2
  shift 2
  expect_status "$status" lamella build "$spec" -O0 "$@" -o refused
  grep -qF -- "$text" stderr || { cat stderr; fail "no '$text' from: $*"; }
  [[ ! -e refused ]] || fail "something was written in spite of: $*"
}
system='(libc.so.6 )?(libm.so.6 )?' # the libraries that every program needs that is not static
trains "$system" --openmp=none
trains "$system" --openmp=none --cc=gcc
trains 'libc.so.6 libgomp.so.1 (libm.so.6 )?' --openmp=shared --cc=gcc
if lamella build "$spec" -O0 -v -o probe 2>&1 | grep -q "built without LLVM"; then
  count_skip "no LLVM"
else
  trains 'libc.so.6 (libm.so.6 )?libomp.so.5 ' --openmp=shared
fi
if [[ -e $(gcc -print-file-name=libgomp.a) && -e $(gcc -print-file-name=libc.a) ]]; then
  # The build is in this process where LLVM has libomp.a, and by cc elsewhere.
  for by in '' --cc=gcc; do
    trains "$system" --openmp=static $by
    trains '' --static $by
    trains '' --static --openmp=none $by
  done
  expect_equal "$(cat stderr)" "" "what a static build says"
  ./program info | grep -q "1 thread$" || fail "--openmp=none has threads: $(./program info | head -n 1)"
else
  count_skip "no static libraries"
fi
# This compiler lacks libraries, namely all of gcc's.
cat >poor <<'END'
#!/bin/sh
for word; do case $word in -fopenmp | $LACKS) echo "no $word here" >&2; exit 1 ;; esac; done
exec gcc "$@"
END
chmod +x poor
export LACKS=none
refuses 1 "./poor finds no static library of OpenMP: install gcc, which has libgomp.a" --cc=./poor --openmp=static
refuses 1 "./poor finds no static library of OpenMP" --cc=./poor --static
refuses 1 "./poor has no OpenMP here: install the library of its version" --cc=./poor --openmp=shared
expect_contains "$(lamella build "$spec" -O0 --cc=./poor -o program 2>&1)" "note: ./poor has no OpenMP here; the program will use one thread"
LACKS=-static refuses 1 "a static program needs libc.a (Debian: libc6-dev)" --cc=./poor --static
expect_contains "$(cat stderr)" "no -static here"
refuses 1 "static library of OpenMP that may become a part of a shared object" --cc=./poor --openmp=static -shared
# Some options exclude each other.
refuses 2 "--static goes with programs" --static -shared
refuses 2 "--openmp=static goes with what is linked" --openmp=static -c
refuses 2 "--static and --openmp=shared exclude each other" --static --openmp=shared
refuses 2 "--openmp takes shared, static or none, not 'some'" --openmp=some
lamella build "$spec" -O0 --openmp=none -c -o plain.o
! nm plain.o | grep -q 'kmpc\|GOMP' || fail "-c --openmp=none calls OpenMP"
