#!/usr/bin/env bash
# slow
# run --watch never loses what was learned: neither by a checkpoint while a new version gets ready, nor by a version
# that dies, Ctrl-C in the middle of a change, or weights that cannot be written.
. "$(dirname "$0")/../lib.sh"
. "$LAMELLA_ROOT/tests/watch.sh"
export TMPDIR=$WORK
lamella run "$SPECS/linear.lam" -O0 info >/dev/null 2>messages || { grep -q "built without LLVM" messages && skip "no LLVM"; cat messages; fail "run"; }
[[ -e /proc/$$/task/$$/children ]] || skip "no /proc that tells a process's children"

optimizer=sgd batch=10 log=10
save() { number=$((number + 1)) hidden=$1; spec > .next; mv .next rings.lam; }
watch_anew() {
  rm -f rings.* log.json
  save 8
  watch
  wait_for "steps" steps_beyond 20
}
stop() { # SIGNAL: ends the watcher as Ctrl-C does
  local status=0
  kill -INT $watcher
  kill -CONT $watcher
  wait $watcher || status=$?
  [[ $status == 130 ]] || { tail messages; fail "exit status $status"; }
}
children() { cat /proc/$watcher/task/$watcher/children; }
is_asked() { [[ $((0x$(sed -n 's/^ShdPnd:\s*//p' "/proc/$1/status") & 0x200)) != 0 ]]; } # SIGUSR1 is pending
is_dead() { grep -q '^State:\s*Z' "/proc/$1/status"; }
# went_on STEP: fails unless the last version began at that step or later.
went_on() {
  local step
  step=$(sed -n 's/.*note: step \([0-9]*\) goes on with.*/\1/p' messages | tail -n 1)
  [[ -n $step && $step -ge $1 ]] || { cat messages; fail "from step ${step:-1}, not $1"; }
}
# hold EDIT: stops the running version, $running, saves the edit, and waits until the new version, $next, is ready and
# $running has been asked to leave off.
hold() {
  running=$(children | tr -d ' ')
  kill -STOP "$running"
  save "$1"
  wait_for "a request" is_asked "$running"
  next=$(children | tr ' ' '\n' | grep -v -e "^$running\$" -e '^$')
}

# Saving the spec does not prevent a checkpoint.
more='checkpoint = every(5)'
watch_anew
for ((i = 0; i < 12; i++)); do
  answers=$(count "goes on with [0-9]")
  save $((8 + i % 2))
  wait_for "an answer" more_than "goes on with [0-9]" "$answers"
done
[[ $(count "cannot write") == 0 && $(count "has stopped") == 0 ]] || { cat messages; fail "a checkpoint was lost"; }

# When a running version dies, here by a signal, the next one goes on from its last checkpoint.
kill -SEGV "$(children | tr -d ' ')"
wait_for "a message" more_than "has stopped, and goes on when" 0
[[ $(count "internal error") == 0 ]] || { cat messages; fail "a signal from outside was taken for a crash"; }
step=$(last_step) answers=$(count "goes on with [0-9]")
save 8
wait_for "an answer" more_than "goes on with [0-9]" "$answers"
went_on $((step - 10))

# A new version that dies when it is ready is compiled again.
step=$(last_step) answers=$(count "goes on with [0-9]")
hold 9
kill -9 "$next"
# The message comes before the running version leaves off, since a killed process may take a while to die.
wait_for "word of its death" more_than "the new program has ended by itself" 0
kill -CONT "$running"
wait_for "an answer" more_than "goes on with [0-9]" "$answers"
went_on "$step"

# Ctrl-C in the middle of a change, when the old version has left and the new one has not begun: the new one saves.
answers=$(count "goes on with [0-9]")
hold 12
kill -STOP $watcher
kill -CONT "$running"
wait_for "the end of the old version" is_dead "$running"
stop
[[ $(count "goes on with [0-9]") -gt $answers ]] || { cat messages; fail "the new version did not take over"; }
stopped=$(sed -n 's/.*stopped after step \([0-9]*\) .*/\1/p' messages)
[[ $stopped -ge $step ]] || { cat messages; fail "stopped at step $stopped"; }
lamella run -O0 rings.lam train --quiet --resume --steps $((stopped + 3)) > resumed

# Where weights cannot be written, training goes on as it was, until an edit after they can.
more=''
watch_anew
step=$(last_step)
hold 9
mkdir rings.safetensors
kill -CONT "$running"
wait_for "a refusal" more_than "training goes on with the spec as it was" 0
wait_for "more steps" steps_beyond $(($(last_step) + 20))
[[ $(count "it was saved and is compiled") == 1 ]] || { cat messages; fail "it was compiled again"; }
rmdir rings.safetensors
step=$(last_step)
save 10
wait_for "an answer" more_than "goes on with [0-9]" 0
went_on "$step"
stop

# An error that no edit can mend ends the command; an error that an edit can mend does not.
expect_status 1 timeout 20 "$LAMELLA_BUILD/lamella" run -O0 rings.lam train --watch --overwrite --init missing.safetensors
expect_contains "$(cat stderr)" "cannot open missing.safetensors"
expect_status 1 timeout 20 "$LAMELLA_BUILD/lamella" run -O0 rings.lam train --watch --out nowhere/weights
rm rings.safetensors
rm log.json
echo "model" > rings.lam
"$LAMELLA_BUILD/lamella" run -O0 rings.lam train --watch --log log.json > out 2> messages &
watcher=$!
wait_for "a message" more_than "waiting until it is saved again" 0
save 8
wait_for "steps" steps_beyond 20
stop
