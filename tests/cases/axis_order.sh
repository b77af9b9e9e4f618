#!/usr/bin/env bash
# long
# Wherever the order of axes is visible outside a program, it is that of the declaration, batch first: in columns,
# inputs, results, parameters and states of the optimizer. This is tried with every permutation of three axes,
# interpreted and compiled. Element (a, b, c) is 100 a + 10 b + c, so that every transposition shows.
. "$(dirname "$0")/../lib.sh"

orders=(abc acb bac bca cab cba)
declare -A size=([a]=2 [b]=3 [c]=4) factor=([a]=100 [b]=10 [c]=1)

axes() { local list=${1:0:1}, i; for ((i = 1; i < ${#1}; i++)); do list+=" ${1:i:1},"; done; echo "${list%,}"; }
# The value has the axes in the order of the terms of 100 * index(a) + 10 * index(b) + index(c).
terms() { local o=$1; echo "${factor[${o:0:1}]} * index(${o:0:1}) + ${factor[${o:1:1}]} * index(${o:1:1}) + ${factor[${o:2:1}]} * index(${o:2:1})"; }
declare -A shape numbers
for o in "${orders[@]}"; do
  x=${o:0:1} y=${o:1:1} z=${o:2:1}
  shape[$o]=${size[$x]}x${size[$y]}x${size[$z]} numbers[$o]=
  for ((i = 0; i < size[$x]; i++)); do for ((j = 0; j < size[$y]; j++)); do for ((k = 0; k < size[$z]; k++)); do
    numbers[$o]+=" $((i * factor[$x] + j * factor[$y] + k * factor[$z]))"
  done; done; done
done
# more ORDER N: prints the elements in that order, each plus N.
more() { local n; for n in ${numbers[$1]}; do echo -n " $((n + $2))"; done; }

inputs= results= returned= columns= given= states= optimizers= parameters= products= blocks=
i=0
for declared in "${orders[@]}"; do
  j=0
  for expression in "${orders[@]}"; do
    name=${declared}_$expression other=${orders[(i + j + 1) % 6]}
    inputs+="x_$name[$(axes $declared)], "
    # The number of the example stands first, in the middle or last.
    o=$expression first="100000 * index" middle=0 last=0
    [[ $((i + j)) != *[147] ]] || { first=0 middle="100000 * index"; }
    [[ $((i + j)) != *[2580] ]] || { first=0 last="100000 * index"; }
    columns+="  x_$name = ($first + (${factor[${o:0:1}]} * index(${o:0:1}) + ($middle + ${factor[${o:1:1}]} * index(${o:1:1}))) + ${factor[${o:2:1}]} * index(${o:2:1}) + $last) / 1"$'\n'
    results+="y_$name[$(axes $other)], z_$name[$(axes $declared)], " returned+="x_$name * 1, $(terms $expression), "
    # There are parameters in each order; their optimizer has a state in each order of the parameter's three axes.
    parameters+="  param w_$name[$(axes $declared)] = 0"$'\n'
    products+=" + sum(w_$name * real, a, b, c)"
    blocks+="  for \"w_$name\" { optimizer = order_$expression(lr = 1) }"$'\n'
    j=$((j + 1))
  done
  optimizers+="optimizer order_$declared(p[a, b, c], g, lr) {
  state v[$(axes $declared)] = 0
  state m like p = 0
  h = sum(g, a, b) * 0 + g
  state l like h = 0
  v = g
  m = g
  l = h
  p = p + lr * g
}
"
  i=$((i + 1))
done
cat > order.lam <<END
axis a = 2
axis b = 3
axis c = 4
model order(${inputs%, }) -> ${results}u, l {
$parameters  real = ($(terms cab)) / 1
  free = (index(c) + x_abc_abc * 0) + 100 * index(a) + 10 * index(b)
  return ${returned}free, 0$products
}
data d {
  examples = 2
$columns}
$optimizers
train order on d {
  loss = output.l
  optimizer = order_abc(lr = 1)
$blocks  batch = 2; steps = 1
}
END

expect() { "$LAMELLA_BUILD/tests/tools/expect_tensor" "$@" || fail "$way: $*"; }
# Both examples that the data gave are in that order.
expect_both() { expect out.st "$1" "2x${shape[$2]}" 0 ${numbers[$2]} $(more $2 100000); }

ways=("interpret order.lam" "run order.lam --target=portable" "run order.lam" "run order.lam --passes=none")
"$LAMELLA_BUILD/lamella" run "$SPECS/linear.lam" info 2>&1 | grep -q "built without LLVM" && ways=("interpret order.lam")
for way in "${ways[@]}"; do
  rm -f ./*.st
  lamella $way train --overwrite --out w.st > /dev/null
  lamella $way predict --weights w.st --out out.st > /dev/null
  for ((i = 0; i < 6; i++)); do
    for ((j = 0; j < 6; j++)); do
      declared=${orders[i]} name=${orders[i]}_${orders[j]} o=${orders[j]}
      expect_both y_$name ${orders[(i + j + 1) % 6]}
      expect out.st z_$name 2x${shape[$declared]} 0 ${numbers[$declared]} ${numbers[$declared]}
      expect w.st w_$name ${shape[$declared]} 0 ${numbers[$declared]}
      expect w.st w_$name/m ${shape[$declared]} 0 ${numbers[$declared]}
      expect w.st w_$name/l ${shape[$declared]} 0 ${numbers[$declared]}
      # The optimizer's a, b and c are the parameter's first, second and third axis.
      of=$(tr abc "$declared" <<< "$o")
      expect w.st w_$name/v ${shape[$of]} 0 ${numbers[$of]}
    done
  done
  # A column without brackets has batch first, then the axes in the order of the expression.
  expect out.st u 2x4x2x3 0 ${numbers[cab]} ${numbers[cab]}
done

# Inputs given by hand or in a file are in the declared order, and values that --dump names in that of their expression.
for o in "${orders[@]}"; do
  printf 'axis %s\n' "a = 2" "b = 3" "c = 4" | tee hand.lam > make.lam
  echo "model m(t[$(axes $o)]) -> x[$(axes $o)] { return t * 1 }" >> make.lam
  cat >> hand.lam <<END
model m(x[$(axes $o)]) -> y[a, b, c] {
  q = sum(index(a) * 0 + x, batch) + 1
  return x + 0 * q
}
END
  list=${numbers[$o]# } rest=${o/a/}
  for way in "${ways[@]:0:2}"; do
    rm -f ./*.st
    lamella ${way/order/make} predict --input t="${list// /,}" --out in.st > /dev/null
    expect in.st x 1x${shape[$o]} 0 ${numbers[$o]}
    for given in "--inputs in.st" "--input x=${list// /,}"; do
      lamella ${way/order/hand} --dump=q predict $given --out hand.st > /dev/null
      expect hand.st y 1x2x3x4 0 ${numbers[abc]}
      expect hand.st q ${shape[a$rest]} 0 $(more a$rest 1)
    done
  done
done

# The header names the same order.
cat > header.lam <<'END'
axis a = 2
axis b = 3
model m(x[a, b]) -> y[b, a] { return x * 1 }
END
lamella emit header.lam -o out
grep -q 'float \*x; /\* \[batch=1, a=2, b=3\] \*/' out/header.h || fail "$(grep 'x\[' out/header.h)"
grep -q 'float \*y; /\* \[batch=1, b=3, a=2\] \*/' out/header.h || fail "$(grep 'y\[' out/header.h)"

# Generation reads what it chooses from by its axes, in either order: here 3 t + 2 modulo 7 comes after t.
for o in "seq, vocab" "vocab, seq"; do
  cat > text.lam <<END
use "std/optim.lam"
axis vocab = 7
axis seq <= 5
model m(tokens[seq] in vocab) -> logits[$o] {
  param w = 5
  return where(index(vocab) == (3 * tokens + 2) % 7, w, 0)
}
data d { examples = 1; tokens = floor(index(seq) * 1.0) }
train m on d { loss = logits; optimizer = sgd(lr = 0); steps = 1 }
generate m { over = seq; feed = tokens; from = logits }
END
  for way in "${ways[@]:0:2}"; do
    lamella ${way/order/text} train --overwrite > /dev/null
    expect_equal "$(lamella ${way/order/text} generate --prompt "1 5" --tokens 6 --temperature 0)" "1 5 3 4 0 2 1 5 " "$way, [$o]"
  done
done

# Names that C cannot tell apart get fields of their own, whose comments say which name each stands for.
lamella emit "$LAMELLA_ROOT/tests/values/names.lam" -o names
for line in 'float \*a_b;' 'float \*a_b_2; /\* a_b\[\] \*/' 'float \*x, \*x_2; /\* \[batch=1\] \*/' 'float \*x_3; /\* x\[batch=1\] \*/'; do
  grep -q "$line" names/names.h || { cat names/names.h; fail "the header has no $line"; }
done
