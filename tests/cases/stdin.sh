#!/usr/bin/env bash
# Every verb takes a spec from the standard input, "-"; its data and the files that it uses lie in the current folder,
# and its mistakes are in <stdin>.
. "$(dirname "$0")/../lib.sh"
cat >table.lam <<'END'
use "std/optim.lam"
use "more.lam"
model line(x) -> y { param w = 0.5
  return w * x }
train line on d { loss = (y - t) ^ 2; optimizer = sgd(lr = 0.1); steps = 3 }
END
echo 'data d { csv = "table.csv"; x = number("x"); t = number("t") }' >more.lam
printf 'x,t\n1.5,2.25\n0.5,0.75\n' >table.csv
cp table.lam line.lam # the program has the name of the model
lamella run table.lam info 2>&1 | grep -q "built without LLVM" && run=interpret || run=run

expect_equal "$(lamella check - <table.lam)" "<stdin>: model line, 1 parameters in 1 tensors; graphs train, evaluate, predict"
for stage in ast tensor loops c; do
  expect_equal "$(lamella show - --stage=$stage <table.lam)" "$(lamella show line.lam --stage=$stage)" "show --stage=$stage"
done
cat table.lam | lamella emit - -o emitted
expect_equal "$(echo emitted/*)" "emitted/lamella.c emitted/lamella.h emitted/lamella_runtime.c emitted/lamella_runtime.h emitted/line.c emitted/line.h emitted/line_main.c"
lamella emit line.lam -o same
diff -r emitted same || fail "the standard input gives another text"
lamella emit - --name=named -o named <table.lam
[[ -s named/named.h ]] || fail "--name"
lamella build - -O0 <table.lam
./line train --quiet --out built.st >again
for verb in interpret $run; do
  for turn in 1 2; do lamella $verb - train --quiet --overwrite --out $verb.st <table.lam >again; done
  expect_equal "$(cat again)" "$(lamella $verb line.lam train --quiet --overwrite --out w.st)" "$verb -"
  cmp $verb.st w.st
done
[[ $run != run ]] || cmp built.st run.st
# The cache tells two such specs apart.
sed 's/lr = 0.1/lr = 0.2/' table.lam | lamella $run - train --quiet --out other.st >other
[[ $(cat other) != "$(cat again)" ]] || fail "another spec was run"
[[ $run != run ]] || lamella compare - --passes default --passes none --time 0.1 --steps 2 <table.lam >compared 2>&1 || fail "compare -: $(cat compared)"

# Data that is missing is so in the current folder, since such a spec lies nowhere.
rm table.csv
expect_status 1 lamella $run - train <table.lam
expect_contains "$(cat stderr)" "cannot open table.csv: it is not in the current folder; --data FILE names another"

# Mistakes are shown with their place.
expect_status 1 lamella check - <<<'model m(x) -> y { return z }'
expect_equal "$(cat stderr)" "<stdin>:1:26: error: there is no name 'z' here
  model m(x) -> y { return z }
                           ^"
expect_status 1 lamella emit - -o none </dev/null
expect_contains "$(cat stderr)" "<stdin>"
expect_status 1 lamella build - -o none <&-
expect_contains "$(cat stderr)" "<stdin> cannot be read"
[[ ! -e none ]] || fail "something was written"
expect_status 2 lamella run - train --watch <table.lam
expect_equal "$(cat stderr)" "lamella run: --watch follows the edits of a file, and the standard input is none"
expect_status 2 lamella check - table.lam <table.lam
expect_status 2 lamella $run - <table.lam
expect_contains "$(cat stderr)" "usage: lamella $run - VERB"
