#!/usr/bin/env bash
# slow
# With too little memory every command ends with a message that says so, whichever part of it noticed, and leaves
# nothing behind.
. "$(dirname "$0")/../lib.sh"
case $LAMELLA_BUILD in *asan*) skip "the sanitizers map more than any limit" ;; esac
mkdir temporary
export TMPDIR=$WORK/temporary
refused=0 done=0
# limit KILOBYTES COMMAND...: the command runs with so much memory and ends as it should.
limit() {
  local kilobytes=$1 status=0
  shift
  (ulimit -v "$kilobytes"; exec timeout 120 "$LAMELLA_BUILD/lamella" "$@") >stdout 2>stderr || status=$?
  case $status in
    0) done=$((done + 1)) ;;
    1) grep -q "error: out of memory" stderr || { cat stderr; fail "$kilobytes kB: another message: $*"; }
       refused=$((refused + 1)) ;;
    *) cat stderr; fail "$kilobytes kB: exit status $status: $*" ;;
  esac
  [[ $(cat stderr) != *"internal error"* && $(cat stderr) != *"terminate called"* ]] || { cat stderr; fail "$kilobytes kB: $*"; }
  expect_equal "$(ls temporary)" "" "temporary files after $*"
  [[ $status == 0 || ! -e out ]] || fail "something was written by $*"
  rm -rf out
}
# With less than `least` the system cannot even load the command.
least=4000
loads() { local status=0; (ulimit -v "$1"; exec "$LAMELLA_BUILD/lamella" --version) >stdout 2>stderr || status=$?; [[ $status -lt 2 ]]; }
until loads $least; do
  least=$((least + 50))
  [[ $least -lt 12000 ]] || { cat stderr; fail "the command does not load with $least kB"; }
done
for kilobytes in $least $((least + 200)) $((least + 700)) 6500 7000 8000 10000 12000 16000 24000 40000; do
  limit $kilobytes check "$SPECS/gpt2.lam"
  limit $kilobytes show "$SPECS/linear.lam" --stage=ast
  limit $kilobytes show "$SPECS/shakespeare.lam" --stage=c
  limit $kilobytes emit "$SPECS/gpt2.lam" -o out
done
# This file is long, for the commands that read it.
{ echo 'model m(x) -> y {'; for ((i = 0; i < 20000; i++)); do echo "y = x + $i"; done; echo 'return y }'; } >long.lam
{ printf 'model '; head -c 3000000 /dev/zero | tr '\0' a; echo '(x) -> y { return x }'; } >word.lam
for kilobytes in $least 6000 8000 10000 14000 20000; do
  limit $kilobytes check long.lam
  limit $kilobytes check word.lam
done
for kilobytes in 150000 250000 300000 380000 450000 500000 560000 600000 700000; do
  limit $kilobytes build "$SPECS/linear.lam" --no-cache -o out
  limit $kilobytes run "$SPECS/linear.lam" --no-cache info
done
[[ $refused -gt 20 && $done -gt 5 ]] || fail "$refused commands had too little memory and $done had enough"
