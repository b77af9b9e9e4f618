# The demo's training step: specs/shakespeare.lam as it is.
title="char GPT: 4 layers, 4 heads, embed 128, float32, batches of 12 windows of 64, AdamW, clipping: a training step"
contenders=(lamella torch torch.compile)
warmup=10 steps=60
[[ $quick == 0 ]] || warmup=1 steps=3

cases() { case_row step ms "0.52 x" "$(gpt_gigaflop 4 128 65 64 12)"; }
prepare() { training_program gpt shakespeare.lam; }
sample() {
  case $1 in
    lamella) training_steps gpt $warmup $steps ;;
    torch) torch_steps $warmup $steps ;;
    torch.compile) torch_steps $warmup $steps --compile ;;
  esac | only step
}
