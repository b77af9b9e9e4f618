# The training step of GPT-2 124M in mixed precision.
. "$root/bench/workloads/W1.sh"
title="GPT-2 124M as in W1 by mixed(bf16), beside torch's autocast in bfloat16: a training step"
contenders=(lamella torch.autocast torch.autocast.compile)

cases() {
  case_row step ms "0.65 x" "$(gpt_gigaflop $layers $embed $vocab $seq $batch)"
  case_row memory MB
}
prepare() {
  training_program gpt gpt2.lam --passes='mixed(bf16)' -D repeat.h=$layers -D embed=$embed -D head=$heads -D vocab=$vocab \
    -D seq=$seq -D train.batch=$batch
}
sample() {
  case $1 in
    lamella) training_steps gpt 1 4 ;;
    torch.autocast) gpt2_of_torch 1 3 --autocast ;;
    torch.autocast.compile) gpt2_of_torch 2 3 --autocast --compile ;;
  esac | grep -E "^(step|memory)	"
}
