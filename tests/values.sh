#!/usr/bin/env bash
# tests/values.sh NAME [WAY, WAY...]: runs the commands of tests/values/NAME.lam, a spec with numbers known from outside of
# Lamella, by the interpreter and compiled. Comments of the spec hold the commands and the results that they must give:
#   #! VERB ARGUMENT...          a command: `lamella interpret NAME.lam VERB ...` or `lamella run ...`, in a folder for each way
#   #! exit N: VERB ARGUMENT...  one that ends with the status N and not with 0
#   #! use OTHER.lam             from here on commands are those of another spec of the same folder
#   #= FILE TENSOR SHAPE [TOLERANCE]: NUMBER...   what a file of tensors holds by now (SHAPE: 2x3, or 1; TOLERANCE: usually 1e-6)
#   #~ TEXT                      what the last command printed, stdout and stderr together, contains this
#   #! ways: WAY, WAY...         the ways it is run by, when not all (interpret, portable, avx2, avx512, none, unfused, neon)
# On another machine than AArch64, neon is a program that `lamella build` makes and qemu runs, which takes long: with --every, and where
# it is asked for (cases/neon).
. "$(dirname "$0")/lib.sh"
name=$1
file=$LAMELLA_ROOT/tests/values/$name.lam
declare -A options=([portable]=--target=portable [avx2]=--target=avx2 [avx512]=--target=avx512 [neon]=--target=neon [none]=--passes=none
  [unfused]=--passes=-fuse)
ways=$(sed -n 's/^#! ways: //p' "$file")
IFS=', ' read -ra ways <<<"${ways:-interpret, portable, avx2, avx512, none, unfused, neon}"
if [[ -n ${2:-} ]]; then # of these, the ones asked for
  IFS=', ' read -ra asked <<<"$2"
  for i in "${!ways[@]}"; do [[ " ${asked[*]} " == *" ${ways[i]} "* ]] || unset "ways[$i]"; done
elif ! everything && ! runs_here neon; then
  for i in "${!ways[@]}"; do [[ ${ways[i]} != neon ]] || unset "ways[$i]"; done
fi

# The C compiler's usual level is tried with --every; at -O0 a test takes half as long.
level=
everything || level=-O0

# Runs the verb of `words` for neon, with the compiler's options `before`, under qemu.
emulate() {
  lamella build "$spec" $level --target=neon --cc=aarch64-linux-gnu-gcc --openmp=none -o program "${before[@]}" || return
  QEMU_LD_PREFIX=/usr/aarch64-linux-gnu qemu-aarch64 ./program "${words[@]}"
}

follow() {
  local way=$1 spec=$file kind rest status expected verb words command=
  while IFS= read -r rest; do
    kind=${rest:0:2} rest=${rest:3}
    case $kind$rest in
      '#!ways: '*) ;;
      '#!use '*) spec=$LAMELLA_ROOT/tests/values/${rest#use } ;;
      '#!'*)
        expected=0
        [[ $rest =~ ^exit\ ([0-9]+):\ (.*)$ ]] && expected=${BASH_REMATCH[1]} rest=${BASH_REMATCH[2]}
        eval "words=($rest)" # quoted as in a shell
        command="$way: $rest" status=0
        # Options of the compiler stand before the verb.
        local before=()
        while [[ ${words[0]} == -* ]]; do
          before+=("${words[0]}") words=("${words[@]:1}")
          [[ ${before[-1]} == -D || ${before[-1]} == --passes ]] && before+=("${words[0]}") words=("${words[@]:1}")
        done
        if [[ $way == interpret ]]; then
          lamella interpret "$spec" "${before[@]}" "${words[@]}" >printed 2>&1 </dev/null || status=$?
        elif [[ $way == neon ]] && ! runs_here neon; then
          emulate >printed 2>&1 </dev/null || status=$?
        else
          lamella run "$spec" $level ${options[$way]} "${before[@]}" "${words[@]}" >printed 2>&1 </dev/null || status=$?
        fi
        [[ $status == "$expected" ]] || { cat printed; fail "exit status $status, expected $expected: $command"; }
        ;;
      '#='*)
        read -ra words <<<"${rest%%:*}"
        "$LAMELLA_BUILD/tests/tools/expect_tensor" "${words[0]}" "${words[1]}" "${words[2]}" "${words[3]:-1e-6}" ${rest#*:} \
          || fail "after $command: $rest"
        ;;
      '#~'*) grep -qF -- "$rest" printed || { cat printed; fail "after $command: no '$rest'"; } ;;
    esac
  done < <(grep '^#[!=~] ' "$file")
  [[ -n $command ]] || fail "$file has no command"
}

"$LAMELLA_BUILD/lamella" run "$LAMELLA_ROOT/specs/linear.lam" info 2>&1 | grep -q "built without LLVM" && ways=(interpret)
for way in "${ways[@]}"; do
  if [[ $way == avx2 || $way == avx512 ]]; then runs_here "$way" || { count_skip "no $way here"; continue; }; fi
  if [[ $way == neon ]] && ! runs_here neon && ! emulates_neon; then count_skip "no gcc and qemu for AArch64"; continue; fi
  mkdir "$WORK/$way"
  cd "$WORK/$way"
  follow "$way"
done
