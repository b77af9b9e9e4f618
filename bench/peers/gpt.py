"""The GPT of specs/shakespeare.lam and specs/gpt2.lam with its training recipe, in PyTorch; the defaults are shakespeare.lam's.

Prints lines "NAME<tab>VALUE": the milliseconds of the first step, which holds a compilation, and of a step (the median after the
warm-up, without the choice of the batch), and the megabytes that the process held at most. With --evaluate also the validation
loss over the whole split.
"""
import argparse
import math
import os
import statistics
import time

import torch
import torch.nn.functional as F

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--layers", type=int, default=4)
parser.add_argument("--heads", type=int, default=4)
parser.add_argument("--embed", type=int, default=128)
parser.add_argument("--vocab", type=int, default=65)
parser.add_argument("--pos", type=int, default=64)
parser.add_argument("--seq", type=int, default=64)
parser.add_argument("--batch", type=int, default=12)
parser.add_argument("--tokenizer", choices=["char", "byte"], default="char")
parser.add_argument("--rate", type=float, nargs=2, default=[1e-3, 1e-4], help="highest and lowest learning rate")
parser.add_argument("--rate-warmup", type=int, default=100)
parser.add_argument("--total", type=int, default=2000, help="steps of the learning rate's schedule")
parser.add_argument("--beta2", type=float, default=0.99)
parser.add_argument("--clip", type=float, default=1.0, help="0: no clipping")
parser.add_argument("--data", default=os.path.join(ROOT, "specs/data/tinyshakespeare.txt"))
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--threads", type=int, default=os.cpu_count())
parser.add_argument("--warmup", type=int, default=20, help="steps that are not timed, the first among them")
parser.add_argument("--steps", type=int, default=100, help="steps after these")
parser.add_argument("--compile", action="store_true")
parser.add_argument("--autocast", action="store_true", help="forward pass under torch.autocast in bfloat16, float32 weights")
parser.add_argument("--evaluate", action="store_true")
a = parser.parse_args()
torch.manual_seed(a.seed)
torch.set_num_threads(a.threads)

text = open(a.data, "rb").read()
letters = sorted(set(text)) if a.tokenizer == "char" else range(256)
number = {letter: i for i, letter in enumerate(letters)}
tokens = torch.tensor([number[c] for c in text])
cut = int(0.9 * len(tokens))
training, validation = tokens[:cut], tokens[cut:]


class Block(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.ln_1, self.ln_2 = torch.nn.LayerNorm(a.embed), torch.nn.LayerNorm(a.embed)
        self.c_attn, self.attn_proj = torch.nn.Linear(a.embed, 3 * a.embed), torch.nn.Linear(a.embed, a.embed)
        self.c_fc, self.mlp_proj = torch.nn.Linear(a.embed, 4 * a.embed), torch.nn.Linear(4 * a.embed, a.embed)

    def forward(self, x):
        b, n, _ = x.shape
        q, k, v = [t.view(b, n, a.heads, -1).transpose(1, 2) for t in self.c_attn(self.ln_1(x)).split(a.embed, -1)]
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.attn_proj(y.transpose(1, 2).reshape(b, n, a.embed))
        return x + self.mlp_proj(F.gelu(self.c_fc(self.ln_2(x)), approximate="tanh"))


class GPT(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.wte, self.wpe = torch.nn.Embedding(a.vocab, a.embed), torch.nn.Embedding(a.pos, a.embed)
        self.h = torch.nn.ModuleList(Block() for _ in range(a.layers))
        self.ln_f = torch.nn.LayerNorm(a.embed)
        for name, p in self.named_parameters():
            if p.dim() == 2:
                torch.nn.init.normal_(p, std=0.02)
            elif name.endswith("bias"):
                torch.nn.init.zeros_(p)

    def forward(self, x, y):
        h = self.wte(x) + self.wpe.weight[: x.shape[1]]
        for block in self.h:
            h = block(h)
        return F.cross_entropy((self.ln_f(h) @ self.wte.weight.T).view(-1, a.vocab), y.reshape(-1))


model = GPT()
forward = torch.compile(model) if a.compile else model
decayed = [p for p in model.parameters() if p.dim() == 2]
plain = [p for p in model.parameters() if p.dim() == 1]
groups = [{"params": decayed, "weight_decay": 0.1}, {"params": plain, "weight_decay": 0.0}]
optimizer = torch.optim.AdamW(groups, betas=(0.9, a.beta2), eps=1e-8, fused=True)


def rate(step):
    high, low = a.rate
    if step < a.rate_warmup:
        return high * step / a.rate_warmup
    return low + 0.5 * (high - low) * (1 + math.cos(math.pi * (step - a.rate_warmup) / (a.total - a.rate_warmup)))


@torch.no_grad()
def evaluate():
    count = (len(validation) - 1) // a.seq
    x = validation[: count * a.seq].view(count, a.seq)
    y = validation[1 : count * a.seq + 1].view(count, a.seq)
    return sum(model(x[i : i + 64], y[i : i + 64]).item() * len(x[i : i + 64]) for i in range(0, count, 64)) / count


times, losses = [], []
for step in range(1, a.warmup + a.steps + 1):
    starts = torch.randint(len(training) - a.seq, (a.batch,))
    x = torch.stack([training[s : s + a.seq] for s in starts])
    y = torch.stack([training[s + 1 : s + a.seq + 1] for s in starts])
    begin = time.perf_counter()
    for group in optimizer.param_groups:
        group["lr"] = rate(step)
    optimizer.zero_grad()
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=a.autocast):
        loss = forward(x, y)
    loss.backward()
    if a.clip:
        torch.nn.utils.clip_grad_norm_(model.parameters(), a.clip)
    optimizer.step()
    times.append(1000 * (time.perf_counter() - begin))
    losses.append(loss.item())

peak = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(f"first step\t{times[0]:.3f}")
if a.steps:
    print(f"step\t{statistics.median(times[a.warmup:]):.3f}")
print(f"loss\t{losses[-1]:.5f}")
print(f"memory\t{peak * 1024 / 1e6:.1f}")
if a.evaluate:
    print(f"validation loss\t{evaluate():.4f}")
