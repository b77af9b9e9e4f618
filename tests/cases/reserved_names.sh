#!/usr/bin/env bash
# slow
# A spec and its file may have names that mean something in C, its library, POSIX, the runtime or the program itself:
# the emitted source compiles all the same, without a warning.
. "$(dirname "$0")/../lib.sh"

compilers=()
for compiler in gcc clang-19; do
  if command -v $compiler > /dev/null; then compilers+=($compiler); else count_skip "$compiler"; fi
done
[[ ${#compilers[@]} -gt 0 ]] || skip "no C compiler"

# Both compilers are tried. What includes a model's header may have included headers with macros of usual names.
turn=0
compiles() {
  local spec=$1 compiler=${compilers[turn++ % ${#compilers[@]}]}
  rm -rf out
  lamella emit "$spec" -o out || fail "emit $spec"
  printf '#include <%s>\n' complex.h stdnoreturn.h > out/caller.c
  for header in out/*.h; do printf '#include "%s"\n' "${header##*/}" >> out/caller.c; done
  "$compiler" -std=c11 -fsyntax-only -Wall -Wextra -Werror out/*.c 2> errors ||
    { head -n 5 errors; cat "$spec"; fail "$compiler refuses the program of $spec"; }
}

# Each name stands in one role or another, 17 names in a spec. The last names begin like the program, which is called
# "names".
words=(auto break case char const continue default do double enum extern float goto inline int long register restrict short signed
  sizeof static struct switch typedef union unsigned void volatile while main asm typeof bool NULL EOF FILE INT_MAX NAN INFINITY
  M_PI HUGE_VAL I errno stdin stdout printf read write time signal select y0 j1 gamma expf pow sin fabs div remove exit malloc free
  environ linux unix size_t int32_t uint8_t mask lanes real lam_real lam_step lam_main program tensors activations parameters a p o
  g e c r i io seed sizes settings generation verbs omp_get_num_threads pthread_create _mm256_add_ps va_list st_mtime sa_handler
  thread_local static_assert value values buffer loop rows loss_sum weight names names_train names_parameters names_t complex imaginary noreturn)
number=0
while ((number < ${#words[@]})); do
  for role in short middle class function inside model input output param scope weight hidden state repeat label data column; do
    printf -v "$role" %s "${words[number]:-other_$number}"
    number=$((number + 1))
  done
  cat > names.lam <<END
use "std/layers.lam"
use "std/loss.lam"
use "std/optim.lam"
axis $short = 2
axis $middle = 24
axis $class = 3
fn $function(q, axis $middle) -> q {
  $inside = q * 2
  return $inside + 1
}
model $model($input[$short]) -> $output[$class] {
  param ${param}[$short, $middle] ~ normal(0.5)
  param $scope.${weight}[$middle, $class] ~ normal(0.5)
  $hidden = $input @$short $param
  $state = relu($function($hidden, $middle))
  repeat $repeat[2] { $state = $label: dense($state, $middle, $middle, std = 0.25) }
  return $state @$middle $scope.$weight
}
data $data {
  examples = 20
  $input = normal(1, $short)
  $column = where(sum($input * $input, $short) < 1.4, 1, 0)
}
train $model on $data {
  loss = cross_entropy($output, floor($column), $class)
  optimizer = adam(lr = 0.01)
  batch = 5; epochs = 2
}
END
  compiles names.lam
done

# Structs and functions are named after the file.
for program in auto int main math string errno stat tm timespec sigaction timer lam lam_main LAM_x run run_train pthread omp printf FILE NULL 3d a-b _x Net class new \
  lamella_runtime; do
  cp "$SPECS/mlp.lam" "./$program.lam"
  compiles "./$program.lam"
done
