# What the tests of `lamella run --watch` share, sourced after lib.sh: the spec that they edit, and functions that wait
# for the effects of an edit. The watcher's process is $watcher; it writes `messages` and log.json.

hidden=8 layers=1 optimizer=adam batch=20 log=500 more='' broken='' number=0
spec() {
  cat <<END
use "std/layers.lam"
use "std/loss.lam"
use "parts.lam"
axis feature = 2
axis hidden  = $hidden
axis class   = 2
model rings(x[feature]) -> logits[class] {
  h = relu(first: dense(x, feature, hidden, std = 0.5))
  repeat h[$layers] { h = relu(inner: dense(h, hidden, hidden, std = 0.25)) }
  return last: dense(h, hidden, class, std = 0.25)
}
data rings {
  examples = 200
  x = normal(1, feature)
  inside = where(sum(x * x, feature) < 1.4, 1, 0)
}
train rings on rings {
  loss = cross_entropy(logits, floor(inside), class)
  optimizer = $optimizer(lr = 0.00$((1000 + number)))
  batch = $batch; steps = 1000000000; clip = 1
  log = $log; $more
}
$broken
END
}
echo 'use "std/optim.lam"' > parts.lam

# watch: begins to train rings.lam
watch() {
  "$LAMELLA_BUILD/lamella" run -O0 rings.lam train --watch --quiet --threads 1 --log log.json > out 2> messages &
  watcher=$!
  trap 'kill -9 $watcher 2> /dev/null || true; rm -rf "$WORK"' EXIT
}
# wait_for WHAT COMMAND...: waits until the command succeeds, and fails after a minute.
wait_for() {
  local what=$1 tries
  shift
  for ((tries = 0; tries < 3000; tries++)); do
    "$@" && return
    alive
    sleep 0.02
  done
  tail -n 20 messages
  fail "$what did not happen"
}
alive() { kill -0 $watcher 2> /dev/null || { tail -n 20 messages; fail "the watcher has ended"; }; }
count() { grep -c -E "$1" messages || true; }
more_than() { [[ $(count "$1") -gt $2 ]]; }
last_step() { { cat log.json 2> /dev/null || echo; } | sed -n 's/^{"step":\([0-9]*\),.*/\1/p' | tail -n 1; }
steps_beyond() { [[ $(last_step) -gt $1 ]]; } # an empty word counts as 0
