# The training step of GPT-2 124M.
title="GPT-2 124M, float32, batches of 4 windows of 64 tokens, AdamW, clipping: a training step"
contenders=(lamella torch torch.compile llm.c)
layers=12 embed=768 heads=12 vocab=50257 seq=64 batch=4
[[ $quick == 0 ]] || layers=1 embed=48 heads=3 vocab=300 seq=16 batch=2

cases() { case_row step ms "0.58 x" "$(gpt_gigaflop $layers $embed $vocab $seq $batch)"; }

prepare() {
  training_program gpt gpt2.lam -D repeat.h=$layers -D embed=$embed -D head=$heads -D vocab=$vocab -D seq=$seq \
    -D train.batch=$batch
}

gpt2_of_torch() {
  torch_steps "$@" --layers $layers --heads $heads --embed $embed --vocab $vocab --pos 1024 --seq $seq --batch $batch \
    --tokenizer byte --rate 6e-4 6e-5 --rate-warmup 700 --total 10000 --beta2 0.95
}

sample() {
  case $1 in
    lamella) training_steps gpt 1 4 | only step ;;
    torch) gpt2_of_torch 1 3 | only step ;;
    torch.compile) gpt2_of_torch 2 3 --compile | only step ;;
    llm.c) # its own shape is that of W1; it does not clip gradients, and is ended after some steps
      (cd "$LLMC" && OMP_NUM_THREADS=$threads exec ./train_gpt2) |
        awk 'sub(/^step [0-9]+: train loss .*\(took /, "") && ++seen > 1 { print $1 + 0 } seen == 4 { exit }' > llm.c.ms || [[ -s llm.c.ms ]]
      sort -n llm.c.ms | sed -n '2s/^/step\t/p'
      ;;
  esac
}
