# How long it takes to compile a spec to C, to an executable, and to the first step of a run; and how long to check each
# spec.
title="compiling: GPT-2 124M and the char GPT (W1, W2) to C, to an executable, to the first step; checking the specs"
contenders=(lamella torch.compile)
models=(gpt2 shakespeare)
declare -A settings=([gpt2]="-D seq=64 -D train.eval=0 -D train.log=1" [shakespeare]="-D train.eval=0 -D train.log=1")
[[ $quick == 0 ]] || settings[gpt2]+=" -D repeat.h=2 -D embed=48 -D vocab=300"

# A cold compilation by PyTorch takes a minute, and the difference from Lamella's is larger than any noise.
most_rounds() { if [[ $1 == torch.compile ]]; then at_most 2; else echo "$rounds"; fi; }
specs() { (cd "$root/specs" && printf '%s\n' *.lam); }
can_run() { lamella --help | grep -q '^ *run '; }

cases() {
  local spec
  case_row "gpt2: C" ms "200 ms"
  case_row "gpt2: executable" ms "3000 ms"
  case_row "gpt2: start, cold"
  case_row "gpt2: first step, cold" ms "4000 ms"
  case_row "gpt2: start, cached" ms "100 ms"
  case_row "gpt2: first step, cached"
  case_row "shakespeare: C"
  case_row "shakespeare: executable"
  case_row "shakespeare: start, cold"
  case_row "shakespeare: first step, cold" ms "2000 ms"
  case_row "shakespeare: start, cached" ms "100 ms"
  case_row "shakespeare: first step, cached" ms "100 ms"
  for spec in $(specs); do case_row "check $spec" ms "20 ms"; done
}

prepare() {
  can_run || row absent W7 "lamella run" "this build has no such verb"
}

# first_step MODEL HOW: prints the milliseconds from the start of `lamella run` until the program begins ("start"), and these with those
# of its first step ("first step"). What lies between, reading data and drawing weights, is not compilation.
first_step() {
  local begins step
  (cd "$work" && lamella run "$root/specs/$1.lam" ${settings[$1]} -v train --overwrite --steps 3 --threads "$threads" --quiet --log /dev/stdout \
    --out run.safetensors) 2> "$work/said" | head -n 1 > "$work/first" || true
  begins=$(sed -n 's/.* begins after \([0-9.]*\) s$/\1/p' "$work/said")
  step=$(sed -n 's/.*"step":1,.*"seconds":\([0-9.]*\).*/\1/p' "$work/first")
  [[ -n $begins && -n $step ]] || return 1
  awk -v model="$1" -v how="$2" -v begins="$begins" -v step="$step" 'BEGIN {
    printf "%s: start, %s\t%.3f\n", model, how, 1000 * begins
    printf "%s: first step, %s\t%.3f\n", model, how, 1000 * (begins + step)
  }'
}

of_lamella() {
  local model spec
  for model in "${models[@]}"; do
    milliseconds "$model: C" lamella emit "$root/specs/$model.lam" ${settings[$model]} -o "$work/emitted" || return 1
    milliseconds "$model: executable" lamella build "$root/specs/$model.lam" ${settings[$model]} --no-cache -o "$work/built" || return 1
    can_run || continue
    export XDG_CACHE_HOME=$work/cache
    rm -rf "$XDG_CACHE_HOME"
    mkdir "$XDG_CACHE_HOME"
    first_step "$model" cold || return 1
    first_step "$model" cached || return 1
  done
  for spec in $(specs); do milliseconds "check $spec" lamella check "$root/specs/$spec" || return 1; done
}

# With an empty cache PyTorch's first step includes the compilation.
of_torch() {
  local inductor_cache=$work/inductor
  rm -rf "$inductor_cache"
  torch_steps 1 0 --compile | only "first step" "shakespeare: first step, cold"
  rm -rf "$inductor_cache"
  torch_steps 1 0 --compile --layers 12 --heads 12 --embed 768 --vocab 50257 --pos 1024 --batch 4 --tokenizer byte |
    only "first step" "gpt2: first step, cold"
}

sample() {
  case $1 in
    lamella) of_lamella ;;
    torch.compile) of_torch ;;
  esac
}
