"""Makes lora.losses and lora.safetensors: the first ten losses of PyTorch, in double precision, of the model of gpt.lam from gpt.safetensors
when adapters alone are trained, and what these then hold. An adapter is PEFT's, written by hand: the layer's result is W x + B (A x) *
(alpha / rank), with A drawn between +-1 / sqrt(n), as kaiming_uniform_ with a = sqrt(5) draws it, and B = 0. For the embeddings, which
are only looked up, A = 0 and B is drawn from the normal distribution, as in PEFT's Embedding. A's draws are those of the manual: Philox
keyed by the names of the tensors. Nothing of Lamella's takes part.

  python3 tests/golden/lora.py        (torch 1.13.1, safetensors 0.8.0)
"""
import math
import os

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file

here = os.path.dirname(os.path.abspath(__file__))
DTYPE, MASK = torch.float64, 0xFFFFFFFF
BATCH, SEQ, HEADS, EMBED = 4, 32, 4, 32
base = {name: x.to(DTYPE) for name, x in load_file(os.path.join(here, "gpt.safetensors")).items()}
text = open(os.path.join(here, "text.txt")).read()
letters = sorted(set(text))
tokens = torch.tensor([letters.index(c) for c in text])

# The rules of lora.lam, by the beginning of a name's last parts: rank and alpha.
RULES = {"attn.c_attn": (4, 16), "attn.c_proj": (4, 16), "mlp.c_fc": (2, 3), "wpe": (3, 6)}


def philox(counter, key):
    counter, key = list(counter), list(key)
    for _ in range(10):
        first, second = counter[0] * 0xD2511F53, counter[2] * 0xCD9E8D57
        counter = [second >> 32 ^ counter[1] ^ key[0], second & MASK, first >> 32 ^ counter[3] ^ key[1], first & MASK]
        key = [(key[0] + 0x9E3779B9) & MASK, (key[1] + 0xBB67AE85) & MASK]
    return counter


def words(name, element):
    stream = 2166136261  # FNV-1a of the name; the seed is 0
    for byte in name.encode():
        stream = (stream ^ byte) * 16777619 & MASK
    return philox([0, 0, element & MASK, element >> 32], [0, stream])


def uniform(name, *shape):
    draws = [(words(name, i)[0] >> 8) / 2.0**24 for i in range(math.prod(shape))]
    return torch.tensor(draws, dtype=DTYPE).reshape(shape)


def normal(name, *shape):
    """Box and Muller's; 1 - u is never 0."""
    draws = []
    for i in range(math.prod(shape)):
        w = words(name, i)
        u, v = (w[0] >> 8) / 2.0**24, (w[1] >> 8) / 2.0**24
        draws.append(math.sqrt(-2 * math.log(1 - u)) * math.cos(2 * math.pi * v))
    return torch.tensor(draws, dtype=DTYPE).reshape(shape)


adapters = {}
for name, w in base.items():
    for part, (rank, alpha) in RULES.items():
        if not name.endswith(part + ".weight"):
            continue
        a, b = name + "/lora_A", name + "/lora_B"
        if part == "wpe":
            adapters[a] = torch.zeros(w.shape[0], rank, dtype=DTYPE)
            adapters[b] = normal(b, rank, w.shape[1])
        else:
            bound = 1 / math.sqrt(w.shape[0])
            adapters[a] = -bound + 2 * bound * uniform(a, w.shape[0], rank)
            adapters[b] = torch.zeros(rank, w.shape[1], dtype=DTYPE)
        adapters[name] = alpha / rank
trained = {name: x.requires_grad_() for name, x in adapters.items() if "/" in name}


def conv(x, name):
    name += ".weight"
    y = x @ base[name] + base[name.replace(".weight", ".bias")]
    if name in adapters:
        y = y + (x @ trained[name + "/lora_A"]) @ trained[name + "/lora_B"] * adapters[name]
    return y


def norm(x, name):
    return F.layer_norm(x, (EMBED,), base[name + ".weight"], base[name + ".bias"], 1e-5)


def heads(x):
    return x.reshape(x.shape[0], x.shape[1], HEADS, -1).transpose(1, 2)


def gpt(tokens):
    places = trained["wpe.weight/lora_A"] @ trained["wpe.weight/lora_B"] * adapters["wpe.weight"]
    x = base["wte.weight"][tokens] + base["wpe.weight"] + places
    for i in range(2):
        h = f"h.{i}."
        q, k, v = [heads(t) for t in conv(norm(x, h + "ln_1"), h + "attn.c_attn").split(EMBED, -1)]
        scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
        scores = scores.masked_fill(~torch.tril(torch.ones(SEQ, SEQ, dtype=torch.bool)), -math.inf)
        x = x + conv((scores.softmax(-1) @ v).transpose(1, 2).flatten(2), h + "attn.c_proj")
        x = x + conv(F.gelu(conv(norm(x, h + "ln_2"), h + "mlp.c_fc"), approximate="tanh"), h + "mlp.c_proj")
    return norm(x, "ln_f") @ base["wte.weight"].T


def rate(step):  # cosine(1e-2, 1e-3, warmup = 3) over ten steps
    if step <= 3:
        return 1e-2 * step / 3
    return 1e-3 + 0.5 * (1e-2 - 1e-3) * (1 + math.cos(math.pi * (step - 3) / 7))


# LoRA+ (Hayou et al., 2024): the second factor learns faster.
first = [x for name, x in trained.items() if name.endswith("A")]
second = [x for name, x in trained.items() if name.endswith("B")]
optimizer = torch.optim.AdamW([{"params": first}, {"params": second}], betas=(0.9, 0.99), eps=1e-4, weight_decay=0.1)
lines = []
for step in range(10):
    for group, times in zip(optimizer.param_groups, (1, 4)):
        group["lr"] = times * rate(step + 1)
    starts = [(step * BATCH + row) * SEQ for row in range(BATCH)]
    x = torch.stack([tokens[s : s + SEQ] for s in starts])
    y = torch.stack([tokens[s + 1 : s + SEQ + 1] for s in starts])
    loss = F.cross_entropy(gpt(x).flatten(0, 1), y.flatten())
    optimizer.zero_grad()
    loss.backward()
    lines.append(f"{loss.item():.9g}")
    torch.nn.utils.clip_grad_norm_(trained.values(), 0.5)
    optimizer.step()
open(os.path.join(here, "lora.losses"), "w").write("\n".join(lines) + "\n")
save_file({name: x.detach().float().contiguous() for name, x in trained.items()}, os.path.join(here, "lora.safetensors"))
print(*lines)
