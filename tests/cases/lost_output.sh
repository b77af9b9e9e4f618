#!/usr/bin/env bash
# slow
# Output that is printed or logged and does not arrive is an error: every verb, of the compiler and of its programs,
# then ends with a message and exit status 1. A device that is always full and a process that may write no file stand
# for a full disk.
. "$(dirname "$0")/../lib.sh"
spec=$SPECS/linear.lam
small=(-D train.steps=3)
cat >text.lam <<'END'
axis vocab = 256
axis seq <= 8
axis embed = 4
use "std/loss.lam"
use "std/optim.lam"
model m(tokens[seq] in vocab) -> logits[seq, vocab] {
  param e[vocab, embed] ~ normal(0.5)
  param o[embed, vocab] ~ normal(0.5)
  return e[vocab = tokens] @embed o
}
data d { text = "text.txt"; tokenizer = byte }
train m on d { loss = cross_entropy(logits, next, vocab), weight; optimizer = sgd(lr = 0.1); steps = 2 }
generate m { over = seq; feed = tokens; from = logits }
END
echo "a text that is long enough for a window" >text.txt
# gcc compiles this, since libomp raises a signal where a process may write no file.
lamella build "$spec" --cc=gcc "${small[@]}" -o linear
lamella build text.lam -o text
./linear train --quiet --out w.safetensors >messages
./text train --quiet --out t.safetensors >messages
runs=(lamella)
lamella run "$spec" info >messages 2>&1 || { grep -q "built without LLVM" messages && runs=(); }

commands=(
  "lamella --help" "lamella --version" "lamella check --help" "lamella check $spec" "lamella show --stage=passes"
  "lamella show $spec --stage=ast" "lamella show $spec --stage=tensor" "lamella show $spec --stage=clusters" "lamella show $spec --stage=loops" "lamella show $spec --stage=c"
  "lamella interpret $spec ${small[*]} train --overwrite --out i.safetensors" "lamella interpret $spec eval --weights w.safetensors"
  "lamella interpret $spec predict --weights w.safetensors" "lamella interpret $spec info"
  "./linear --help" "./linear --version" "./linear train --help" "./linear train --overwrite --out i.safetensors" "./linear eval --weights w.safetensors"
  "./linear predict --weights w.safetensors" "./linear predict --weights w.safetensors --out i.safetensors" "./linear info"
  "./linear bench --steps 1" "./text generate --weights t.safetensors --quiet --tokens 5"
  "./text generate --weights t.safetensors --quiet --tokens 100000"
)
[[ ${#runs[@]} == 0 ]] || commands+=("lamella run $spec info" "lamella run $spec ${small[*]} train --overwrite --out i.safetensors"
  "lamella compare $spec --passes default --passes none --time 0.1 --threads 1 --json -")

# check HOW COMMAND: the command, whose output was lost, has the right exit status and message.
check() {
  [[ $status == 1 ]] || { cat stderr; fail "exit status $status with $1: $2"; }
  grep -q "error: cannot write the output" stderr || { cat stderr; fail "no message with $1: $2"; }
}
full=
if [[ $(id -u) == 0 ]] && mknod full c 1 7 2>/dev/null && : 2>/dev/null >full; then full=full; else count_skip "no device that is full"; fi
for command in "${commands[@]}"; do
  if [[ -n $full ]]; then
    status=0
    $command >full 2>stderr || status=$?
    check "a full device" "$command"
  fi
  case $command in *" train "* | *--out* | *compare* ) continue ;; esac # these also write files
  status=0
  (trap '' XFSZ; : >out; ulimit -f 0; $command >out) 2>&1 | cat >stderr || status=$?
  check "a file that cannot grow" "$command"
  status=0
  $command 2>stderr >&- || status=$?
  check "a stream that is closed" "$command"
done

# Messages are output, too.
if [[ -n $full ]]; then
  expect_status 1 bash -c "./text generate --weights t.safetensors --tokens 5 2>full"
  expect_status 0 bash -c "./text generate --weights t.safetensors --tokens 5 --quiet 2>full"
fi

# The log, the weights and the reports are files.
may_not_grow() { (trap '' XFSZ; ulimit -f 0; "$@") 2>&1 | cat; }
lost() { # TEXT COMMAND...
  local says=$1
  shift
  expect_status 1 "$@"
  grep -qF -- "$says" stdout stderr || { cat stdout stderr; fail "no '$says' from: $*"; }
}
lost "cannot write l.json: File too large" may_not_grow ./linear train --overwrite --quiet --log l.json --out w.safetensors
cp w.safetensors before
lost "cannot write w.safetensors: File too large; what it held before is unchanged" may_not_grow ./linear train --overwrite --quiet --out w.safetensors
lost "cannot write w.safetensors: File too large; what it held before is unchanged" may_not_grow ./linear predict --weights w.safetensors --out w.safetensors
lost "cannot write new.json: File too large" may_not_grow ./linear bench --steps 1 --json new.json
lost "cannot write new.json: File too large" may_not_grow ./linear info --trace new.json
lost "cannot write new: File too large" may_not_grow lamella build --no-cache "$spec" -c -o new
lost "cannot write new/linear.h: File too large" may_not_grow lamella emit "$spec" -o new
cmp w.safetensors before
if [[ -n $full ]]; then
  lost "cannot write full: No space left on device" ./linear train --quiet --log full --out l.safetensors
  ./linear eval --weights l.safetensors >messages # training went on without its log
  lost "cannot write full: No space left on device" ./linear train --quiet --out full
  lost "cannot write full: No space left on device" ./linear predict --weights w.safetensors --out full
  lost "cannot write full: No space left on device" ./linear bench --steps 1 --json full
  lost "cannot write full: No space left on device" ./linear info --trace full
  lost "cannot write full: No space left on device" lamella build "$spec" -o full
  [[ -c full ]] || fail "a device was replaced"
fi

# No file gets the descriptor of a closed stream, so nothing that is printed gets into it.
status=0
./linear train --out closed.safetensors >&- 2>&- <&- || status=$?
[[ $status == 1 ]] || fail "exit status $status with closed streams"
./linear eval --weights closed.safetensors >messages

# Where the reader of a pipe ends, SIGPIPE ends the program in silence, as it does others; where SIGPIPE is ignored,
# there is a message.
status=0
(trap - PIPE; exec ./text generate --weights t.safetensors --quiet --tokens 1000000) 2>stderr | head -c 1 >messages || status=$?
[[ $status == 141 ]] || fail "exit status $status after a pipe was closed"
expect_equal "$(cat stderr)" "" "what it says then"
status=0
(trap '' PIPE; exec ./text generate --weights t.safetensors --quiet --tokens 1000000) 2>stderr | head -c 1 >messages || status=$?
check "a pipe that is closed" "./text generate"

expect_equal "$(ls | grep -e '\.tmp$' -e '\.lock$' -e '^new' -e '^lamella-' || true)" "" "what is left"
