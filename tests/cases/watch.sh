#!/usr/bin/env bash
# slow
# run --watch: fifty random edits of a spec, good and bad, are saved while it trains, in every way that editors save.
# Training never stops, steps go on and losses stay finite, and Ctrl-C leaves weights that a run resumes from.
# WATCH_SEED=N tries other edits.
. "$(dirname "$0")/../lib.sh"
. "$LAMELLA_ROOT/tests/watch.sh"
export XDG_CACHE_HOME=$WORK/cache TMPDIR=$WORK
lamella run "$SPECS/linear.lam" -O0 info >/dev/null 2>messages || { grep -q "built without LLVM" messages && skip "no LLVM"; cat messages; fail "run"; }

expect_status 2 lamella run "$SPECS/linear.lam" --watch info
expect_contains "$(cat stderr)" "--watch goes with the verb train"
expect_status 2 lamella run "$SPECS/linear.lam" train --watch --no-such-option

seed=${WATCH_SEED:-1}
echo "WATCH_SEED=$seed"
RANDOM=$seed

spec > rings.lam
watch
wait_for "the first step" steps_beyond 0

save() {
  case $((RANDOM % 4)) in
    0) spec > rings.lam ;;
    1) spec > .rings.lam.swp; mv .rings.lam.swp rings.lam ;;
    2) spec | head -c 200 > rings.lam; sleep 0.03; spec > rings.lam ;;
    3) rm -f rings.lam; sleep 0.0$((RANDOM % 10)); spec > rings.lam ;;
  esac
}

for ((number = 1; number <= 50; number++)); do
  answers=$(count 'goes on with|training goes on$|as it was') broken=''
  case $((RANDOM % 10)) in
    0 | 1) ;; # only the learning rate changes, as in each edit
    2 | 3) hidden=$((4 + RANDOM % 12)) ;;
    4) layers=$((1 + RANDOM % 3)) ;;
    5) if [[ $optimizer == adam ]]; then optimizer=sgd; else optimizer=adam; fi ;;
    6) batch=$((10 + 10 * (RANDOM % 4))) ;;
    7) broken='model' ;;
    8) broken='axis other = nothing' ;;
    9) echo "use \"std/optim.lam\" # $number" > parts.lam ;;
  esac
  if ((RANDOM % 12 == 0)); then
    rm rings.lam
    sleep 0.3
  fi
  save
  # The next edit follows one in three while that one is still being compiled.
  if ((RANDOM % 3)); then
    wait_for "an answer to edit $number" more_than 'goes on with|training goes on$|as it was' "$answers"
  else
    sleep 0.$((RANDOM % 5))
  fi
  alive
  [[ $number != 10 ]] || early=$(awk '/VmRSS/ { print $2 }' /proc/$watcher/status)
done
late=$(awk '/VmRSS/ { print $2 }' /proc/$watcher/status)
((late - early < 4096)) || fail "the watcher has grown from $early to $late kB"

# Missing data is an error of the spec, too; then a last good edit is the one that trains.
answers=$(count 'as it was') broken='data rings2 { csv = "missing.csv"; x = column("x"); inside = column("y") } train rings on rings2 { loss = cross_entropy(logits, floor(inside), class); optimizer = sgd(lr = 1) }'
sed -e '/^data rings/,$d' <(spec) > .next
echo "${broken}" >> .next
mv .next rings.lam
wait_for "a complaint of missing data" more_than 'as it was' "$answers"
broken='' answers=$(count 'goes on with .* parameters')
spec > rings.lam
wait_for "the last version" more_than 'goes on with .* parameters' "$answers"
wait_for "more steps" steps_beyond "$(last_step)"
[[ $(count 'goes on with .* parameters') -ge 10 ]] || fail "few edits were taken up"

kill -INT $watcher
status=0
wait $watcher || status=$?
expect_equal "$status" 130 "exit status"
grep -q "goes on" <(tail -n 1 messages) || fail "no word of how to go on"
expect_equal "$(echo rings.*)" "rings.lam rings.safetensors" "what there is"
sed -n 's/^{"step":\([0-9]*\),"loss":\([^,}]*\).*/\1 \2/p' log.json > steps
awk '{ if ($1 <= last || $2 == "null" || !($2 < 1000)) { print "line " NR ": " $0; bad = 1 } last = $1 } END { if (NR < 100) bad = 1; exit bad }' steps ||
  fail "steps or losses are wrong"
stopped=$(sed -n 's/.*stopped after step \([0-9]*\) .*/\1/p' messages | tail -n 1)
[[ $stopped -ge $(last_step) ]] || fail "stopped at step $stopped"
lamella run -O0 rings.lam train --quiet --resume --steps $((stopped + 3)) > resumed
echo "$stopped steps, $(count 'goes on with .* parameters') versions"
