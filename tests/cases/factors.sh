#!/usr/bin/env bash
# A weight in steps, with a scale for each group of rows or for each column, is no memory of its own: its contraction computes it panel
# by panel, so that no real buffer but the parameters is as large as the weight, and none has an axis of groups. The steps, which are
# integers of few bits, are derived of the weight once: a prediction computes none of them, and what widens them is the contraction's.
. "$(dirname "$0")/../lib.sh"

cat >net.lam <<'END'
axis n = 128
axis group = 4
axis inner = 32
axis k = group * inner
axis m = 48
model net(x[m, group, inner], t[m, k]) -> y[m, n], z[m, n] {
  param w[group, inner, n] ~ normal(0.5)
  param v[k, n] ~ normal(0.5)
  param s[group, n] = 0.1
  param c[n] = 0.01
  four = max(-7, min(7, round(w / s)))
  eight = max(-127, min(127, round(v / c)))
  return sum((x @inner four) * s, group), (t @k eight) * c
}
END
for target in portable avx2 avx512; do
  lamella show net.lam --stage=loops --target=$target --passes=-derive >loops
  grep -E '^# activation ' loops >buffers || true
  grep -q 'group=' buffers && fail "$target: a buffer has an axis of groups: $(grep group= buffers)"
  awk '{ count = 1; while (match($0, /=[0-9]+/)) { count *= substr($0, RSTART + 1, RLENGTH - 1); $0 = substr($0, RSTART + RLENGTH) }
         if (count >= 16384) exit 1 }' buffers || fail "$target: a buffer is as large as the weight: $(cat buffers)"
  [[ $(grep -c '^function' loops) -le 4 ]] || fail "$target: more than a tile and two products: $(grep '^function' loops)"
done
for target in portable avx2 avx512; do
  lamella show net.lam --stage=loops --target=$target >loops
  sed -n '/^# routine predict/,/^# routine derive/p' loops | grep -c '^#   [a-z]' >launches
  expect_equal "$(cat launches)" "2" "$target: launches of a prediction: the two products"
  grep -E '^# (state|activation) ' loops | grep -vE '^# state +real [wvsc] ' >buffers
  grep -E ' real ' buffers | grep -qE 'inner=|k=' && fail "$target: the steps are kept as reals: $(cat buffers)"
  [[ $(grep -cE '^# state +(i4 four|i8 eight) ' buffers) == 2 ]] || fail "$target: the steps are not kept: $(cat buffers)"
done
lamella emit net.lam --target=portable -o emitted
grep -q 'uint8_t \*four; /\* i4, two in a byte, \[' emitted/net.h || fail "the header does not tell what four is: $(grep four emitted/net.h)"
grep -q 'int8_t \*eight; /\* \[' emitted/net.h || fail "$(grep eight emitted/net.h)"
for target in avx2 avx512; do
  lamella emit net.lam --target=$target -o by_vectors
  grep 'four_lanes' by_vectors/net.c && fail "$target: elements of four bits are read one by one"
done
lamella show net.lam --stage=clusters --passes=-derive >clusters
tr -s '\n ' ' ' <clusters | grep -q 'reads x, w, s on the spot four = max' || fail "$(cat clusters)"

# The same weights in a product of usual size cost about as much time as a weight in float32. Each kernel's fastest call counts, and
# three tries, since other programs may run beside the test.
sed -e 's/^axis n = .*/axis n = 1024/; s/^axis group = .*/axis group = 8/; s/^axis m = .*/axis m = 256/' \
  -e 's/z\[m, n\] {/z[m, n], plain[m, n] {/; s/(t @k eight) \* c$/&, t @k v/' net.lam >large.lam
lamella build large.lam -o large
for try in 1 2 3; do
  ./large bench --graph predict --threads 1 --all --fastest >report
  worst=$(awk '/^[a-z_]+_256x1024 / { time[$1] = $3 } END { plain = time["plain_256x1024"]
    for (name in time) if (plain > 0 && time[name] / plain > worst) worst = time[name] / plain; print (plain > 0 ? worst : 9) }' report)
  awk "BEGIN { exit !($worst <= 1.3) }" && break
done
awk "BEGIN { exit !($worst <= 1.3) }" || fail "a weight of few bits costs $worst times what float32 costs: $(cat report)"
