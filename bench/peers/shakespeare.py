"""specs/shakespeare.lam's recipe in PyTorch, eager: prints the validation loss over the whole split, and the time of a step.

  python3 bench/peers/shakespeare.py [--seed N] [--steps N] [--threads N] [--time-only]
"""
import argparse
import math
import os
import statistics
import time

import torch
import torch.nn.functional as F

parser = argparse.ArgumentParser()
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--steps", type=int, default=2000)
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--time-only", action="store_true", help="no validation; print the median step time alone")
arguments = parser.parse_args()
torch.manual_seed(arguments.seed)
torch.set_num_threads(arguments.threads)

path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../specs/data/tinyshakespeare.txt")
text = open(path).read()
letters = sorted(set(text))
tokens = torch.tensor([letters.index(c) for c in text])
cut = int(0.9 * len(tokens))
training, validation = tokens[:cut], tokens[cut:]
EMBED, HEADS, LAYERS, SEQ, BATCH = 128, 4, 4, 64, 12


class Block(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.ln_1, self.ln_2 = torch.nn.LayerNorm(EMBED), torch.nn.LayerNorm(EMBED)
        self.c_attn, self.attn_proj = torch.nn.Linear(EMBED, 3 * EMBED), torch.nn.Linear(EMBED, EMBED)
        self.c_fc, self.mlp_proj = torch.nn.Linear(EMBED, 4 * EMBED), torch.nn.Linear(4 * EMBED, EMBED)

    def forward(self, x):
        b, n, _ = x.shape
        q, k, v = [t.view(b, n, HEADS, -1).transpose(1, 2) for t in self.c_attn(self.ln_1(x)).split(EMBED, -1)]
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.attn_proj(y.transpose(1, 2).reshape(b, n, EMBED))
        return x + self.mlp_proj(F.gelu(self.c_fc(self.ln_2(x)), approximate="tanh"))


class GPT(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.wte, self.wpe = torch.nn.Embedding(65, EMBED), torch.nn.Embedding(SEQ, EMBED)
        self.h = torch.nn.ModuleList(Block() for _ in range(LAYERS))
        self.ln_f = torch.nn.LayerNorm(EMBED)
        for name, p in self.named_parameters():
            if p.dim() == 2:
                torch.nn.init.normal_(p, std=0.02)
            elif name.endswith("bias"):
                torch.nn.init.zeros_(p)

    def forward(self, x, y):
        h = self.wte(x) + self.wpe.weight[: x.shape[1]]
        for block in self.h:
            h = block(h)
        return F.cross_entropy((self.ln_f(h) @ self.wte.weight.T).view(-1, 65), y.reshape(-1))


model = GPT()
decayed = [p for p in model.parameters() if p.dim() == 2]
plain = [p for p in model.parameters() if p.dim() == 1]
optimizer = torch.optim.AdamW([{"params": decayed, "weight_decay": 0.1}, {"params": plain, "weight_decay": 0.0}], betas=(0.9, 0.99), eps=1e-8)


def rate(step, high=1e-3, low=1e-4, warmup=100, steps=2000):
    if step < warmup:
        return high * step / warmup
    return low + 0.5 * (high - low) * (1 + math.cos(math.pi * (step - warmup) / (steps - warmup)))


@torch.no_grad()
def evaluate():
    count = (len(validation) - 1) // SEQ
    x = validation[: count * SEQ].view(count, SEQ)
    y = validation[1 : count * SEQ + 1].view(count, SEQ)
    return sum(model(x[i : i + 64], y[i : i + 64]).item() * len(x[i : i + 64]) for i in range(0, count, 64)) / count


times = []
for step in range(1, arguments.steps + 1):
    starts = torch.randint(len(training) - SEQ, (BATCH,))
    x = torch.stack([training[s : s + SEQ] for s in starts])
    y = torch.stack([training[s + 1 : s + SEQ + 1] for s in starts])
    begin = time.perf_counter()
    for group in optimizer.param_groups:
        group["lr"] = rate(step)
    optimizer.zero_grad()
    loss = model(x, y)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    times.append(time.perf_counter() - begin)
print(f"median step {statistics.median(times[len(times) // 10:]) * 1000:.2f} ms")
if not arguments.time_only:
    print(f"seed {arguments.seed} step {arguments.steps} validation loss {evaluate():.4f}")
