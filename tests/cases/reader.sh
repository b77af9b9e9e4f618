#!/usr/bin/env bash
# What emitted C tells its reader: each kernel begins with its formula, in the names of the spec and of its calls; calls
# in a loop say which copy they are in; places are offsets; no kernel of generation stores what nothing reads.
. "$(dirname "$0")/../lib.sh"

cat >net.lam <<'END'
use "std/transformer.lam"
axis vocab = 11
axis embed = 16
axis hidden = 32
axis seq = 8
model net(tokens[seq] in vocab, mask[seq]: bool) -> logits[seq, vocab], score[seq] {
  param table[vocab, embed] ~ normal(0.5)
  x = table[vocab = tokens]
  repeat h[4] { x = x + mlp: mlp(ln: layernorm(x, embed), gelu_tanh) }
  x = ln_f: layernorm(x, embed)
  energy = sum(x * x, embed)
  return x @embed table, where(mask, -energy, max(energy, 2.5) / 3)
}
END

# says FILE TEXT...: a comment of the file has each text, however it is broken into lines.
says() {
  local file=$1 text
  shift
  for text; do tr -s '\n ' ' ' <"$file" | grep -qF -- "$text" || fail "$file does not say: $text"; done
}

lamella emit net.lam --target=portable -o fused
says fused/net.c '/* x[batch, seq, embed] = table[vocab = tokens]; mean_total = sum over embed of x;' \
  'centred = x - mean; variance_total = sum over embed of centred * centred;' \
  'ln[batch, seq, embed] = centred * rsqrt(variance + 1e-05) * weight + bias */' \
  '/* y = sum over embed of ln * weight; c_fc[batch, seq, hidden] = y + bias; gelu_tanh[batch, seq, hidden] = 0.5 * c_fc *' \
  '(1 + tanh(0.7978846 * (c_fc + 0.044715 * c_fc * c_fc * c_fc))) */' \
  'score[batch, seq] = mask ? -energy : max(energy, 2.5) / 3 */' '/* h[i].mlp.c_fc: linear; and h[i].mlp: gelu_tanh */'
# The scalars of the norm have the names of the formula, and values without a name stand where they are read.
grep -q 'const float inverse_root = 1.0f / sqrtf(variance + 1e-05f);' fused/net.c || fail "no inverse_root"
grep -qE 'reduce_sum|_value\b|\{12, ' fused/net.c && fail "$(grep -nE 'reduce_sum|_value\b|\{12, ' fused/net.c | head -3)"
# Without fusion each value has a kernel of its own.
lamella emit net.lam --target=portable --passes=none -o plain
says plain/net.c '/* mean_total[batch, seq] = sum over embed of x */' '/* layernorm_sum[batch, seq] = variance + 1e-05 */'

# A norm at the end of a turn of the loop belongs to the next copy.
lamella emit "$LAMELLA_ROOT/specs/shakespeare.lam" --target=portable -o whole
says whole/shakespeare.c '/* h[i + 1].ln_1, and at last ln_f: layernorm; and h[i].x */' \
  'x_gradient[batch, seq, embed] = x_gradient + centred_gradient + mean_total_gradient */' \
  'm_2 / weight_adamw_difference / (sqrt(v_2 / weight_adamw_difference_2) + 1e-08)' 'as first called: ' \
  'weight[vocab, embed] = p; m[vocab, embed] = m_2;'
# A comment before calls says all parts of the model that a kernel works on, and what stands in no part of it.
says whole/shakespeare.c '/* h.0.ln_1: layernorm; and x */' '/* logits, then log_sum_exp, then loss_sum */' \
  '/* h[i].mlp.c_proj: linear; and h[i].mlp: gelu_tanh */' '/* h[i].ln_2: layernorm; and the gradient of h[i].x */' \
  '/* h[i].ln_1: layernorm; and the gradient of h[i - 1].x, and at last x */' \
  '/* h[i].attn: attend, the gradients of v, q and k */' \
  'then the gradient of wte.weight, then gradient_norm */'
# The numbers of names begin with the second of a kind, and a kernel is called after where most of its work stands.
for name in layernorm_gradient attend_gradient cosine adamw loss_sum gradient_norm; do
  grep -q "^static void $name(" whole/shakespeare.c || fail "no $name"
done
for name in $(sed -n 's/^static void \([a-z_0-9]*[a-z]\)_[0-9]*(.*/\1/p' whole/shakespeare.c | sort -u); do
  grep -q "^static void $name(" whole/shakespeare.c || fail "${name}_2 without $name"
done
# What is stored in place of another value has a name of its own, in formulas, parameters and calls.
says whole/shakespeare.c 'c_fc_gradient[batch, seq, hidden] in place of c_fc = ' \
  'weight_gradient[embed, hidden] = sum over batch, seq of c_fc_gradient * ln_2 */' \
  'scores = attend_product / 5.656854;' 'weights[batch, seq, head, past] in place of attend_product = e /' \
  'logits_gradient[batch, seq, vocab] in place of logits = ' \
  'x_gradient[batch, seq, embed] = sum over vocab of logits_gradient * weight */' \
  'weight_gradient[vocab, embed] in place of weight_part_gradient = weight_part_gradient + x_gradient at vocab = tokens */'
place() { sed -n "s/.*a->$1\(\[i\]\)\? = AT(\([^)]*\)).*/\2/p" whole/shakespeare.c | head -n 1; }
[[ -n $(place h_mlp_c_fc_gradient) ]] || fail "c_fc_gradient has no pointer"
expect_equal "$(place h_mlp_c_fc_gradient)" "$(place h_mlp_c_fc)" "where the gradient of c_fc lies"
grep -q 'a->h_attn_weights\[i\] = AT([0-9]* \* i + [0-9]*);' whole/shakespeare.c || fail "no offsets of copies"
sed -n '/^struct shakespeare_step_activations/,/^}/p' whole/shakespeare.c >step
grep -q 'h_attn_weights' step || fail "no activations of a step"
grep -qE 'mean_total|_m\b|_z\b' step && fail "a step stores what nobody reads: $(cat step)"
# What training alone needs of a norm, evaluation and prediction do not store: they call the same kernel without a place.
for routine in evaluate predict; do
  sed -n "/^struct shakespeare_${routine}_activations/,/^}/p" whole/shakespeare.c >activations
  grep -q 'h_attn_weights' activations || fail "no activations of $routine"
  grep -qE 'mean_total|variance_total' activations && fail "$routine stores what nobody reads: $(cat activations)"
done
grep -q 'if (mean_total) mean_total\[row\] = mean_total_at;' whole/shakespeare.c || fail "no store that only training wants"
expect_equal "$(grep -c '^static void layernorm[_0-9]*(' whole/shakespeare.c)" 3 "norms: from tokens, with and without positions, and else"
lamella emit "$LAMELLA_ROOT/specs/shakespeare.lam" --only=predict,step --target=portable -o forward
grep -qE 'float \*restrict (mean|variance)_total|NULL, NULL' forward/shakespeare.c && fail "a forward pass stores what nobody reads"
# Training stores no sums of gradients and no numbers of rows that only their own kernel reads.
lamella emit "$SPECS/linear.lam" --target=portable -o line
grep -qE 'slope_d|intercept_d' line/linear.c && fail "linear regression stores what nobody reads"
sed -n '/^struct shakespeare_train_activations/,/^}/p' whole/shakespeare.c >train
grep -qE 'ln_f_bias_gradient_sum|variance_total_gradient' train && fail "training stores what nobody reads: $(cat train)"
# Sums without a name are called after what they sum, and registers after what they collect. The norm of all gradients is one of squares,
# and of squares of scaled gradients for where the first would overflow.
says whole/shakespeare.c 'squares = sum over vocab, embed of weight_gradient * weight_gradient; scaled = weight_gradient * 8.271806e-25;' \
  'scaled_squares = sum over vocab, embed of scaled * scaled'
grep -qE '\b(sum|most)_[0-9]|\btotal_[0-9]\(|gradient_sum' whole/shakespeare.c && fail "sums are numbered where they could be named"
grep -q 'variance_total_so_far' whole/shakespeare.c || fail "no register of the variance"
exit 0
