"""Writes quantize_train.losses: the first ten losses of gpt.lam under quantised training, in PyTorch, with the rounding and its gradient
written by hand. A line for each way begins with the pipeline; after a colon follow the losses. No code of Lamella's takes part.

  python3 tests/golden/quantize_train.py        (torch 2.15.0, safetensors 0.8.0)
"""
import math
import os

import torch
import torch.nn.functional as F
from safetensors.torch import load_file

import make

here = os.path.dirname(os.path.abspath(__file__))
torch.set_num_threads(1)


class Rounded(torch.autograd.Function):
    """x in steps along its last axis; the gradient passes where x is not beyond the last step."""

    @staticmethod
    def forward(ctx, x, bits):
        if bits == 8:
            scale, low, high = x.abs().amax(-1, keepdim=True) / 127, -127, 127
        else:
            scale, low, high = x.gather(-1, x.abs().argmax(-1, keepdim=True)) / -8, -8, 7
        free = torch.round(x / scale)
        ctx.save_for_backward((low <= free) & (free <= high))
        return free.clamp(low, high) * scale

    @staticmethod
    def backward(ctx, d):
        inside, = ctx.saved_tensors
        return torch.where(inside, d, 0), None


def gpt(p, tokens, bits, activations):
    def product(x, weight):  # weight: [out, in]
        return (Rounded.apply(x, 8) if activations else x) @ weight.T

    def conv(x, name):
        return product(x, Rounded.apply(p[name + ".weight"].T, bits)) + p[name + ".bias"]

    def norm(x, name):
        return F.layer_norm(x, (x.shape[-1],), p[name + ".weight"], p[name + ".bias"], 1e-5)

    table = Rounded.apply(p["wte.weight"], 8)
    x = table[tokens] + Rounded.apply(p["wpe.weight"], 8)
    for i in range(2):
        h = f"h.{i}."
        q, k, v = [make.heads(t, 4) for t in conv(norm(x, h + "ln_1"), h + "attn.c_attn").split(32, -1)]
        x = x + conv(make.attend(q, k, v, make.causal(tokens.shape[1])), h + "attn.c_proj")
        x = x + conv(F.gelu(conv(norm(x, h + "ln_2"), h + "mlp.c_fc"), approximate="tanh"), h + "mlp.c_proj")
    return product(norm(x, "ln_f"), table)


def losses(bits, activations):
    p = {k: v.requires_grad_() for k, v in load_file(os.path.join(here, "gpt.safetensors")).items()}
    plain = [v for k, v in p.items() if k.endswith(".bias") or "ln_" in k]
    decayed = [v for v in p.values() if not any(v is w for w in plain)]
    groups = [{"params": decayed, "weight_decay": 0.1}, {"params": plain, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=1, betas=(0.9, 0.99), eps=1e-4)
    for step in range(10):
        for group in optimizer.param_groups:
            group["lr"] = make.cosine(step + 1)
        optimizer.zero_grad()
        x, target, _ = make.windows(step)
        loss = F.cross_entropy(gpt(p, x, bits, activations).flatten(0, 1), target.flatten())
        loss.backward()
        yield loss.item()
        torch.nn.utils.clip_grad_norm_(p.values(), 0.5)
        optimizer.step()


with open(os.path.join(here, "quantize_train.losses"), "w") as file:
    for pipeline, arguments in {
        "quantize(i4, group = 0, train = 1)": (4, False),
        "quantize(i8, activations = i8, train = 1)": (8, True),
    }.items():
        file.write(pipeline + ": " + " ".join(f"{x:.9g}" for x in losses(*arguments)) + "\n")
