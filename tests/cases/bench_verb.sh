#!/usr/bin/env bash
# long
# The verb bench and --trace of compiled programs: times add up, JSON files are well-formed, and nothing else changes.
. "$(dirname "$0")/../lib.sh"

check_json() { "$LAMELLA_BUILD/tests/tools/check_json" "$@"; }
SMALL=(-D repeat.h=2 -D embed=64 -D pos=32 -D train.batch=4 -D train.steps=4)

lamella build "$SPECS/shakespeare.lam" "${SMALL[@]}" -o program
cp "$GOLDEN/text.txt" text.txt
ls > before

# number JSON KEY
number() { sed -n "s/.*\"$2\":\([0-9.]*\)[,}].*/\1/p" "$1" | head -1; }

# In a training step the times of the kernels add up to that of the step, and the heaviest kernel does the work that its
# shape asks for.
expect_status 0 ./program bench --steps 99 --threads 1 --data text.txt --json bench.json
check_json bench.json
# Each kernel's time is a median, and so is the step's, since what disturbs a step seldom meets the same kernel twice.
# So the sum is no less than the fastest of many short steps, which nothing disturbed, and no more than the median.
kernels=$(sed -n 's/.*"ms":\([0-9.]*\),.*/\1/p' bench.json | awk '{ sum += $1 } END { print sum }')
outside=$(number bench.json outside_ms) step=$(number bench.json step_ms) fastest=$(number bench.json fastest_ms)
awk -v k="$kernels" -v o="$outside" -v s="$step" -v f="$fastest" \
  'BEGIN { exit !(k > 0.5 * f && k + o > 0.9 * f && k + o < 1.05 * s) }' ||
  fail "the kernels take $kernels ms and all else $outside ms of a step of $step ms, the fastest of which took $fastest ms"
expect_contains "$(cat stdout)" "outside kernels"
expect_contains "$(cat stdout)" "shakespeare, train: median of 99 steps"
expect_contains "$(cat stdout)" "tokens/s"
expect_contains "$(cat bench.json)" '"graph":"train","steps":99,'
for key in name where calls ms flops bytes bound share; do expect_contains "$(cat bench.json)" "\"$key\":"; done
for key in gflops read_gbs cache_gbs; do
  sed -n "s/.*\"$key\":\([0-9.]*\).*/\1/p" bench.json | awk '{ exit !($1 > 0.01) }' || fail "no $key"
done

# There are two layers of [4 x 32, 64] by [64, 256], with 2 m n k operations each: the sums begin from the bias. The kernel also
# computes the activation of each element, which takes 9.
line=$(lamella show "$SPECS/shakespeare.lam" "${SMALL[@]}" --stage=c --bench | grep -o '{"[a-z0-9_]*", "h\[i\].mlp.c_fc; by [0-9x]* multiply-adds of float32"}' | head -1)
kernel=$(echo "$line" | cut -d'"' -f2)
flops=$(sed -n "s/.*\"name\":\"$kernel\",.*\"flops\":\([0-9]*\),.*/\1/p" bench.json)
expect_equal "$flops" $((2 * 128 * 256 * (2 * 64 + 9))) "operations of $kernel"

# Other graphs are timed too; data that is missing and wrong arguments are refused.
for graph in evaluate predict step prompt; do
  expect_status 0 ./program bench --graph "$graph" --steps 2 --json "$graph.json"
  check_json "$graph.json"
  expect_contains "$(cat stdout)" "shakespeare, $graph: median of 2 steps"
done
sed 's|data/tinyshakespeare.txt|nowhere.txt|' "$SPECS/shakespeare.lam" > nowhere.lam
lamella build nowhere.lam "${SMALL[@]}" -D train.accumulate=3 -o nowhere
expect_status 0 ./nowhere bench --steps 1 --json nowhere.json
expect_contains "$(cat stderr)" "nowhere.txt here: the inputs are random"
expect_equal "$(sed -n "s/.*\"name\":\"$kernel\",.*\"flops\":\([0-9]*\),.*/\1/p" nowhere.json)" $((3 * flops)) \
  "operations of $kernel in three micro-batches"
lamella build "$SPECS/mlp.lam" -o mlp
expect_status 0 ./mlp bench --steps 20 --fastest
expect_contains "$(cat stdout)" "mlp, train: fastest of 20 steps"
expect_contains "$(cat stdout)" "examples/s"
lamella build "$SPECS/mlp.lam" -D train.batch=2500 -o mlp # such batches are large enough for threads
expect_status 0 ./mlp train --steps 3 --out mlp.safetensors --trace mlp.json
check_json --trace mlp.json > counts
expect_contains "$(cat mlp.json)" '"args":{"name":"data"}'
grep -q '"prepare a batch","ph":"X","pid":1,"tid":2' mlp.json || fail "no batch was prepared in a thread of its own"
expect_status 1 ./program bench --graph step --data nowhere.txt
expect_contains "$(cat stderr)" "leave out --data"
expect_status 1 ./program bench --graph trian
expect_contains "$(cat stderr)" "there is no graph trian to measure"
expect_status 1 ./program bench --data missing.txt
expect_status 1 ./program bench --steps 1 --json missing/file.json
expect_status 1 ./program bench --steps 1 --trace missing/file.json
expect_status 2 ./program bench --steps 0

# The events are three steps of training with their kernels, the data that a thread of its own prepares, and one
# checkpoint.
expect_status 0 ./program train --steps 3 --data text.txt --out traced.safetensors --trace train.json
check_json --trace train.json > counts
for count in "3 training step" "3 train" "3 wait for a batch" "1 checkpoint" "1 evaluation"; do
  grep -qx "$count" counts || fail "no line '$count' in the trace: $(cat counts)"
done
grep -q "prepare a batch" counts || fail "no batch was prepared"
[[ $(grep -c "$kernel" counts) -ge 1 ]] || fail "no kernel $kernel in the trace"
expect_status 0 ./program generate --weights traced.safetensors --tokens 5 --trace generate.json
check_json --trace generate.json > counts
grep -qx "5 token" counts || fail "generation's tokens are not in the trace: $(cat counts)"

# A verb that fails leaves no trace.
expect_status 1 ./program train --steps 3 --data missing.txt --trace no.json
[[ ! -e no.json ]] || fail "a trace of a verb that failed"

# Neither tracing nor the ability to trace changes anything: the weights are the same to the byte.
expect_status 0 ./program train --steps 3 --data text.txt --out plain.safetensors
cmp traced.safetensors plain.safetensors
lamella emit "$SPECS/shakespeare.lam" "${SMALL[@]}" -o without
lamella emit "$SPECS/shakespeare.lam" "${SMALL[@]}" -o with --bench
! grep -qE "lam_(kernel_|watch_|trace_|bench_|report)" without/*.[ch] || fail "a program without bench carries parts of it"
cc -std=c11 -O2 -Wall -Wextra -Werror without/*.c -o without/program -lm
cc -std=c11 -O2 -Wall -Wextra -Werror with/*.c -o with/program -lm
for kind in with without; do
  ./$kind/program train --steps 3 --data text.txt --out $kind.safetensors > /dev/null
  cmp $kind.safetensors plain.safetensors
done
expect_status 2 ./without/program bench
expect_status 2 ./without/program train --trace x.json
awk 'length > 120 { print FILENAME ":" FNR ": longer than 120"; bad = 1 } END { exit bad }' with/*.[ch]

# bench itself wrote no other files.
rm -rf ./*.json ./*.safetensors with without counts stdout stderr nowhere nowhere.lam mlp
ls > after
diff <(grep -v before before) <(grep -vE 'before|after' after)
