#!/usr/bin/env bash
# The command line itself: help, exit statuses (0 for success, 1 for a wrong spec, 2 for wrong usage), where output
# goes, -D and show.
. "$(dirname "$0")/../lib.sh"

expect_status 0 lamella --help
expect_contains "$(cat stdout)" "usage: lamella VERB SPEC"
expect_equal "$(cat stderr)" "" "stderr of --help"
expect_status 0 lamella --version
for verb in build emit check show; do
  expect_status 0 lamella "$verb" --help
  expect_contains "$(cat stdout)" "usage: lamella $verb SPEC"
done

# Wrong usage has exit status 2, a message, and nothing on stdout.
usage() {
  expect_status 2 lamella "$@"
  expect_equal "$(cat stdout)" "" "stdout of: lamella $*"
  [[ -s stderr ]] || fail "no message: lamella $*"
}
usage
usage frobnicate
usage check
usage check "$SPECS/linear.lam" --no-such-option
usage check "$SPECS/linear.lam" -D
usage check "$SPECS/linear.lam" -D batch
usage check "$SPECS/linear.lam" -D =3
usage show "$SPECS/linear.lam" --stage=nothing
usage emit "$SPECS/linear.lam" -o out --target=nothing

# An option of the compiler's behind the verb is told from one that nobody has.
usage interpret "$SPECS/linear.lam" train --passes='mixed(bf16)'
expect_contains "$(cat stderr)" "--passes is an option of the compiler: it stands before the verb, lamella interpret SPEC --passes... train"
usage interpret "$SPECS/linear.lam" train --steps 3 -D axis=3
expect_contains "$(cat stderr)" "-D is an option of the compiler"
usage interpret "$SPECS/linear.lam" train --passed=3
! grep -q compiler stderr || fail "$(cat stderr)"

# A wrong name of a stage, graph or pass is answered by the names there are, or by the one that was meant.
usage show "$SPECS/linear.lam"
usage show "$SPECS/linear.lam" --stage=tensr
expect_equal "$(cat stderr)" "lamella show: no stage is called 'tensr'; did you mean 'tensor'? There are ast, tensor, clusters, loops, c, passes"
usage show "$SPECS/linear.lam" --stage=tensor --graph=trian
expect_contains "$(cat stderr)" "no graph is called 'trian'; did you mean 'train'? There are train, evaluate, predict, synthesize"
usage show "$SPECS/linear.lam" --stage=tensor --graph=foo
expect_contains "$(cat stderr)" "no graph is called 'foo'; there are train, evaluate, predict, synthesize"
usage show "$SPECS/linear.lam" --stage=c --graph=train
expect_contains "$(cat stderr)" "--graph goes with --stage=tensor"
usage show "$SPECS/shakespeare.lam" --stage=tensor --graph=derive
expect_contains "$(cat stderr)" "no values of this program are derived"
expect_contains "$(lamella show "$SPECS/shakespeare.lam" --stage=loops)" "# routine derive: "
lamella show "$SPECS/linear.lam" --stage=tensor --graph=predict > predict.txt
expect_equal "$(grep -c ^graph predict.txt)" 1
lamella show "$SPECS/linear.lam" --stage=clusters --graph=predict > predict.txt
expect_equal "$(grep -c ^graph predict.txt)" 1
expect_status 1 lamella check "$SPECS/linear.lam" --dump-after=foo
expect_contains "$(cat stderr)" "no pass is called 'foo'; there are inline, simplify, common, autodiff,"
expect_status 1 lamella check "$SPECS/linear.lam" --passes=-simplify --dump-after=simplify
expect_contains "$(cat stderr)" "the pipeline leaves simplify out"
for verb in check "show --stage=tensor"; do
  # shellcheck disable=SC2086
  expect_status 1 lamella $verb "$SPECS/linear.lam" --dump-after=fuse
  expect_contains "$(cat stderr)" "fuse works on loops, and this command makes none; show --stage=loops makes and prints them"
done
for pass in fuse plan share; do
  expect_status 0 lamella show "$SPECS/linear.lam" --stage=loops --dump-after=$pass
  cmp stdout stderr
done

# A spec that cannot be read.
expect_status 1 lamella check missing.lam
expect_contains "$(cat stderr)" "missing.lam cannot be read: No such file or directory"
expect_status 1 lamella check /
printf 'axis a = 1\n\0' > zero.lam
expect_status 1 lamella check zero.lam
expect_contains "$(cat stderr)" "zero.lam:2:1: error: there is a zero byte here"

# A wrong spec leaves existing files as they were.
printf 'model m(x) -> y { return z }\n' > wrong.lam
mkdir out
echo kept > out/wrong.c
expect_status 1 lamella emit wrong.lam -o out
expect_equal "$(cat out/*)" kept
expect_status 1 lamella build wrong.lam -o program
[[ ! -e program ]] || fail "build wrote a program in spite of an error"
expect_equal "$(cat stdout)" ""

# Of several -D the last one counts, sizes follow, and the value may be an expression.
printf 'axis embed = 4\naxis key = embed / 2\nmodel m(x[embed]) -> y[key] { param w[embed, key] = 0; return x @embed w }\n' > small.lam
expect_contains "$(lamella check small.lam)" "8 parameters in 1 tensors"
expect_contains "$(lamella check small.lam -D embed=8)" "32 parameters in 1 tensors"
expect_contains "$(lamella check small.lam -D embed=8 -D 'embed=2 * 5')" "50 parameters in 1 tensors"
expect_contains "$(lamella check small.lam -D key=3)" "12 parameters in 1 tensors"
expect_status 1 lamella check small.lam -D embde=8
expect_contains "$(cat stderr)" "did you mean 'embed'?"

# A model without parameters needs no weights to predict.
printf 'axis a = 3\nmodel twice(x[a]) -> y[a] { return x * 2 }\n' > twice.lam
lamella build twice.lam -o twice
for program in "lamella interpret twice.lam" ./twice; do
  expect_contains "$($program predict --input x=1,2,3.5)" "2 4 7"
done

# The printed tree of every spec is itself a spec, and has the same tree.
for spec in "$SPECS"/*.lam "$SPECS"/std/*.lam; do
  lamella show "$spec" --stage=ast > first.lam
  lamella show first.lam --stage=ast > second.lam
  cmp first.lam second.lam
done

# What is printed does not change from run to run.
for stage in tensor clusters loops c; do
  lamella show "$SPECS/mlp.lam" --stage=$stage > first
  lamella show "$SPECS/mlp.lam" --stage=$stage > second
  [[ -s first ]] || fail "show --stage=$stage printed nothing"
  cmp first second
done
