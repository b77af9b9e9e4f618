#!/usr/bin/env bash
# slow
# Where data and first weights are found: `run` and `interpret` look beside the spec, a built program beside itself and
# where its spec was, and all of them in the current folder. A spec gives the same C wherever it lies. Training writes
# over trained weights only when told to.
. "$(dirname "$0")/../lib.sh"
unset LAMELLA_SPEC_FOLDER

mkdir -p project/specs/data project/specs/parts project/build elsewhere empty
cat >project/specs/table.lam <<'END'
use "std/optim.lam"
use "parts/source.lam"
model m(x) -> y { param w = 0.5
  return w * x }
train m on d { loss = (y - t) ^ 2; optimizer = sgd(lr = 0.1); steps = 3 }
END
# The path of data is relative to the file that names it, here one in a folder of its own.
echo 'data d { csv = "../data/table.csv"; x = number("x"); t = number("t") }' >project/specs/parts/source.lam
printf 'x,t\n1.5,2.25\n0.5,0.75\n' >project/specs/data/table.csv
trains() { # FOLDER COMMAND...: the command trains in that folder
  (cd "$1" && shift && "$@" train --overwrite --out "$WORK/w.st") >out 2>&1 || { cat out; fail "no training: $*"; }
  [[ -s $WORK/w.st ]] || fail "no weights: $*"
  rm "$WORK/w.st"
}
says_missing() { # FOLDER TEXT COMMAND...
  local folder=$1 text=$2
  shift 2
  (cd "$folder" && ! "$@" train --out "$WORK/w.st") >out 2>&1 || fail "training without data: $*"
  grep -qF -- "$text" out || { cat out; fail "no '$text' from: $*"; }
}
lamella run project/specs/table.lam info 2>&1 | grep -q "built without LLVM" && run=interpret || run=run

# The spec is run from several folders.
for folder in . project project/specs empty /; do
  spec=$(realpath --relative-to="$folder" project/specs/table.lam)
  for verb in interpret $run; do trains $folder "$LAMELLA_BUILD/lamella" $verb "$spec"; done
done

# The C is the same wherever the spec lies, and does not say where.
cp -r project/specs elsewhere/other
lamella emit project/specs/table.lam -o first
(cd elsewhere/other && lamella emit table.lam -o "$WORK/second")
diff -r first second || fail "the text depends on where the spec lies"
! grep -rF -e "$WORK" -e "$LAMELLA_ROOT" first || fail "a path in the text"

# The program is built in the folder of the project and outside of it, called from several folders, moved with the
# project, and called by a link.
for output in table build/table specs/table ../elsewhere/table; do
  (cd project && lamella build specs/table.lam -O0 -o $output)
  for folder in . project empty /; do trains $folder "$WORK/project/$output"; done
  ! grep -aqF -e "$WORK" -e "$LAMELLA_ROOT" project/$output || fail "$output has a path"
done
ln -s "$WORK/project/build/table" empty/link
trains empty ./link
rm empty/link
(cd project/specs && lamella build table.lam --cc=gcc -O0 -o ../build/by_gcc)
trains empty "$WORK/project/build/by_gcc"
mv project moved
trains empty "$WORK/moved/build/table"
trains empty "$WORK/moved/table"

# A program that is moved alone says where it looked, and finds data that is moved with it or lies in the current
# folder.
cp moved/build/table empty/table
says_missing . "cannot open parts/../data/table.csv: it is not beside the program ($WORK/empty), nor where the spec was when it was built ($WORK/empty/../specs), nor in the current folder; --data FILE names another" \
  empty/table
expect_contains "$(empty/table bench --steps 1 2>&1)" "there is no parts/../data/table.csv here: the inputs are random"
trains moved/specs "$WORK/empty/table"
mkdir empty/parts empty/data
cp moved/specs/data/table.csv empty/data
trains / "$WORK/empty/table"
rm -r empty/*
sed -i 's|../data/table.csv|../data/missing.csv|' elsewhere/other/parts/source.lam
for verb in interpret $run; do
  says_missing . "cannot open parts/../data/missing.csv: it is not beside the spec (elsewhere/other), nor in the current folder; --data" \
    "$LAMELLA_BUILD/lamella" $verb elsewhere/other/table.lam
done
says_missing elsewhere/other "it is not in the current folder; --data" "$LAMELLA_BUILD/lamella" interpret table.lam

# -D names a file of the current folder, even if a file of that name lies beside the spec.
cd moved
printf 'x,t\nwrong,2\n' >specs/mine.csv
cp specs/data/table.csv mine.csv
for verb in interpret $run; do trains . "$LAMELLA_BUILD/lamella" $verb specs/table.lam -D data.csv=mine.csv; done
lamella build specs/table.lam -O0 -D data.csv=mine.csv -o specs/mine
trains . specs/mine
cd "$WORK"
# The weights to begin with are found in the same way.
sed 's|steps = 3|steps = 3; init = "data/first.st"|' moved/specs/table.lam >moved/specs/init.lam
lamella interpret moved/specs/table.lam train --quiet --out moved/specs/data/first.st >out
for verb in interpret $run; do trains empty "$LAMELLA_BUILD/lamella" $verb ../moved/specs/init.lam; done
(cd moved && lamella build specs/init.lam -O0 -o build/init)
trains empty "$WORK/moved/build/init"
rm moved/specs/data/first.st
says_missing . "cannot open data/first.st: it is not beside the program" moved/build/init
says_missing . "; --init FILE names another" moved/build/init

# Training writes over no existing file, unless told to.
refused() { # TEXT ARGUMENT...
  local text=$1
  shift
  expect_status 1 moved/build/table train "$@"
  grep -qF -- "$text" stderr || { cat stderr; fail "no '$text' from: train $*"; }
  expect_equal "$(cat stdout)" "" "what was done before"
}
./moved/build/table train --quiet --out w.st >out
cp w.st kept.st
refused "w.st holds a finished training of m, 3 steps: --overwrite replaces it, --out FILE names another file" --out w.st
ln -s w.st link.st
refused "link.st holds a finished training of m" --out link.st --seed 5
moved/build/table train --quiet --resume --steps 4 --out w.st >out 2>&1
refused "w.st holds a finished training of m, 4 steps" --out w.st
refused "--resume goes on with a run, and --overwrite begins it anew: give one of the two" --out w.st --resume --overwrite
moved/build/table train --quiet --overwrite --out w.st >out
cmp w.st kept.st || fail "--overwrite does not begin anew"
cp "$SPECS/data/gpt-nano-sort.safetensors" other.st
refused "other.st is there already, and holds weights of " --out other.st
echo "a diary" >diary
refused "diary is there already, and holds no weights: --overwrite replaces it" --out diary
expect_equal "$(cat diary)" "a diary"
for verb in interpret $run; do
  expect_status 1 lamella $verb moved/specs/table.lam train --out w.st
  expect_contains "$(cat stderr)" "w.st holds a finished training"
done
cmp w.st kept.st || fail "a refused training wrote something"
: >empty.st
moved/build/table train --quiet --out empty.st >out
cmp empty.st kept.st
# A training that was stopped is resumed.
sed -i 's/steps = 3/steps = 2000000000/' moved/specs/table.lam
lamella build moved/specs/table.lam -O0 -D train.log=1 -o long
./long train --out stopped.st >out 2>&1 & pid=$!
for ((i = 0; i < 500; i++)); do grep -q '^step 1 ' out && break; sleep 0.02; done
kill -INT $pid
wait $pid || [[ $? == 130 ]]
expect_status 1 ./long train --out stopped.st
grep -q "stopped.st holds a training of m at step [0-9]* of 2000000000: --resume goes on, --overwrite replaces it" stderr || fail "$(cat stderr)"
