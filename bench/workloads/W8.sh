# The memory that W1's training step takes.
. "$root/bench/workloads/W1.sh"
title="GPT-2 124M as in W1: memory at the peak of a training step (VmHWM of the process)"
contenders=(lamella torch)
most_rounds() { at_most 3; } # memory hardly varies

cases() {
  case_row "with clipping" MB "0.75 x"
  case_row "without clipping" MB "0.55 x"
}
prepare() {
  local settings=(-D repeat.h=$layers -D embed=$embed -D head=$heads -D vocab=$vocab -D seq=$seq -D train.batch=$batch)
  training_program with gpt2.lam "${settings[@]}"
  sed -e 's/; clip = 1.0//' -e "s|\"std/|\"$root/specs/std/|" -e "s|\"data/|\"$root/specs/data/|" "$root/specs/gpt2.lam" > "$work/gpt2.lam"
  ! grep -q 'clip =' "$work/gpt2.lam" || { note "W8: gpt2.lam clips otherwise than this file expects"; return 1; }
  training_program without "$work/gpt2.lam" "${settings[@]}"
}
sample() {
  case $1 in
    lamella)
      training_steps with 1 1 | only memory "with clipping"
      training_steps without 1 1 | only memory "without clipping"
      ;;
    torch) # two steps, as the moments are made at the end of the first
      gpt2_of_torch 1 1 | only memory "with clipping"
      gpt2_of_torch 1 1 --clip 0 | only memory "without clipping"
      ;;
  esac
}
