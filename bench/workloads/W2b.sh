# The demo's training step in mixed precision.
title="char GPT as in W2 by mixed(bf16), beside torch's autocast in bfloat16: a training step"
contenders=(lamella float32 torch.autocast torch.autocast.compile)
warmup=10 steps=60
[[ $quick == 0 ]] || warmup=1 steps=3

cases() { case_row step ms "0.65 x" "$(gpt_gigaflop 4 128 65 64 12)"; }
prepare() {
  training_program gpt shakespeare.lam --passes='mixed(bf16)'
  training_program wide shakespeare.lam
}
sample() {
  case $1 in
    lamella) training_steps gpt $warmup $steps ;;
    float32) training_steps wide $warmup $steps ;;
    torch.autocast) torch_steps $warmup $steps --autocast ;;
    torch.autocast.compile) torch_steps $warmup $steps --autocast --compile ;;
  esac | only step
}
