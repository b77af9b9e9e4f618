# The training step of a larger GPT of the demo's family.
title="char GPT: 6 layers, 6 heads, embed 384, float32, batches of 16 windows of 256, AdamW, clipping: a training step"
contenders=(lamella torch torch.compile)
layers=6 heads=6 embed=384 seq=256 batch=16
[[ $quick == 0 ]] || layers=1 heads=2 embed=32 seq=16 batch=2

cases() { case_row step ms "0.60 x" "$(gpt_gigaflop $layers $embed 65 $seq $batch)"; }
prepare() {
  training_program gpt shakespeare.lam -D repeat.h=$layers -D embed=$embed -D head=$heads -D pos=$seq -D seq=$seq -D train.batch=$batch
}
of_torch() { torch_steps "$@" --layers $layers --heads $heads --embed $embed --pos $seq --seq $seq --batch $batch; }
sample() {
  case $1 in
    lamella) training_steps gpt 1 4 ;;
    torch) of_torch 1 3 ;;
    torch.compile) of_torch 2 3 --compile ;;
  esac | only step
}
