"""Makes the fixtures of mixed precision: mixed.safetensors, the initial weights of mixed.lam, and mixed.trace, what
PyTorch's GradScaler does in 5,000 steps of it; and mixed_gpt.losses and mixed_gpt.gradients, the first ten losses of gpt.lam
under mixed(bf16) and gradients of its first step. No code of Lamella's takes part: what is rounded where is written by hand.

  python3 tests/golden/mixed.py        (torch 2.15.0, safetensors 0.8.0)
"""
import math
import os

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file

import make

here = os.path.dirname(os.path.abspath(__file__))
torch.manual_seed(7)
torch.set_num_threads(1)


def product(kind):
    """A linear layer as a function with a gradient: operands and results are rounded to `kind`, and sums are of float32. Gradients of
    its parameters are not rounded."""

    def narrow(x):
        return x.to(kind).to(torch.float32)

    class Product(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, weight, bias):  # weight: [out, in]
            x, weight = narrow(x), narrow(weight)
            ctx.save_for_backward(x, weight)
            ctx.biased = bias is not None
            y = x @ weight.mT
            return narrow(y + bias if ctx.biased else y)

        @staticmethod
        def backward(ctx, d):
            x, weight = ctx.saved_tensors
            d = narrow(d)
            of_weight = d.flatten(0, -2).T @ x.flatten(0, -2) if weight.dim() == 2 else narrow(d.mT @ x)
            return narrow(d @ weight), of_weight, d.flatten(0, -2).sum(0) if ctx.biased else None

    return Product.apply, narrow


# --- Loss scaling -----------------------------------------------------------------------------------------------------------------

FEATURES, HIDDEN, BATCH, STEPS = 4, 8, 4, 5000
linear16, narrow16 = product(torch.float16)


class Tanh(torch.autograd.Function):
    """What the backward pass reads of it is the operand of the product that follows."""

    @staticmethod
    def forward(ctx, x):
        y = torch.tanh(x)
        ctx.save_for_backward(narrow16(y))
        return y

    @staticmethod
    def backward(ctx, d):
        y, = ctx.saved_tensors
        return d * (1 - y * y)


def rows(first, count):
    index = torch.arange(first, first + count)
    clean = ((index[:, None] * 37 + torch.arange(FEATURES) * 11) % 97).to(torch.float32) / 64 - 0.75
    target = 2 * clean[:, 0] * clean[:, 1] - clean[:, 2]
    x = clean.clone()
    for i in range(count):
        step = (first + i) // BATCH + 1
        if (first + i) % BATCH == 2 and step in (40, 41, 4990):
            x[i, 0] = 1e5
        elif (first + i) % BATCH == 2 and step == 900:
            target[i] = 50000
    return x, target


def scaled():
    p = {
        "w1": torch.randn(HIDDEN, FEATURES) * 0.5,
        "b1": torch.zeros(HIDDEN),
        "w2": torch.randn(1, HIDDEN) * 0.5,
        "b2": torch.zeros(1),
    }
    save_file(p, os.path.join(here, "mixed.safetensors"))
    p = {name: value.clone().requires_grad_() for name, value in p.items()}
    optimizer = torch.optim.AdamW(p.values(), lr=0.01, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01)
    scaler = torch.amp.GradScaler(device="cpu")
    trace, skipped, before = [], 0, None
    for step in range(1, STEPS + 1):
        for group in optimizer.param_groups:
            group["lr"] = 0.01 * (1 - step / 6000)
        x, target = rows(BATCH * (step - 1), BATCH)
        hidden = Tanh.apply(linear16(x, p["w1"], p["b1"]))
        y = linear16(hidden, p["w2"], p["b2"])[:, 0]
        loss = ((y - target) ** 2).mean()
        optimizer.zero_grad()
        scale = scaler.get_scale()
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        skipped += scaler.get_scale() < scale
        if (scale, skipped) != before:  # the scale in this step, and how many steps were skipped by its end
            trace.append(f"{step} {scale:.17g} {skipped}\n")
        before = scale, skipped
    trace.append(f"end {scaler.get_scale():.17g} {scaler._get_growth_tracker()} {skipped}\n")
    for name, value in p.items():
        trace.append(f"{name} {' '.join(f'{v:.9g}' for v in value.detach().flatten().tolist())}\n")
    open(os.path.join(here, "mixed.trace"), "w").writelines(trace)


# --- A transformer in bf16 ---------------------------------------------------------------------------------------------------------

linear, narrow = product(torch.bfloat16)
EMBED = 32


class Norm(torch.autograd.Function):
    """A layernorm in float32. `saved` is what its backward pass has of x: x itself, or what was rounded of it."""

    @staticmethod
    def forward(ctx, x, saved, weight, bias):
        mean = x.mean(-1, keepdim=True)
        inverse = torch.rsqrt(((x - mean) ** 2).mean(-1, keepdim=True) + 1e-5)
        ctx.save_for_backward(saved - mean, inverse, weight)
        return (x - mean) * inverse * weight + bias

    @staticmethod
    def backward(ctx, d):
        centred, inverse, weight = ctx.saved_tensors
        of_weight = (d * centred * inverse).flatten(0, -2).sum(0)
        scaled = d * weight
        of_variance = (scaled * centred).sum(-1, keepdim=True) * -0.5 * inverse**3
        of_centred = scaled * inverse + 2 * centred * of_variance / EMBED
        return of_centred - of_centred.mean(-1, keepdim=True), None, of_weight, d.flatten(0, -2).sum(0)


class Softmax(torch.autograd.Function):
    """The backward pass reads the weights as the operand of the product with the values."""

    @staticmethod
    def forward(ctx, x):
        y = x.softmax(-1)
        ctx.save_for_backward(narrow(y))
        return y

    @staticmethod
    def backward(ctx, d):
        y, = ctx.saved_tensors
        return y * (d - (y * d).sum(-1, keepdim=True))


def gpt(p, tokens):
    def conv(x, name):
        return linear(x, p[name + ".weight"].T, p[name + ".bias"])

    def norm(x, saved, name):
        return Norm.apply(x, saved.detach(), p[name + ".weight"], p[name + ".bias"])

    x = p["wte.weight"][tokens] + p["wpe.weight"]
    saved = x  # the first residuals are computed again from the embeddings and one product
    for i in range(2):
        h = f"h.{i}."
        q, k, v = [make.heads(t, 4) for t in conv(norm(x, saved, h + "ln_1"), h + "attn.c_attn").split(EMBED, -1)]
        scores = linear(q, k, None) / math.sqrt(q.shape[-1])
        weights = Softmax.apply(scores.masked_fill(~make.causal(tokens.shape[1]), -math.inf))
        y = conv(linear(weights, v.mT, None).transpose(1, 2).flatten(2), h + "attn.c_proj")
        x, saved = x + y, saved + y
        y = conv(norm(x, saved, h + "ln_2"), h + "mlp.c_fc")
        y = conv(F.gelu(y, approximate="tanh"), h + "mlp.c_proj")
        x = x + y
        saved = narrow(x)
    return linear(norm(x, saved, "ln_f"), p["wte.weight"], None)


def transformer():
    p = {k: v.requires_grad_() for k, v in load_file(os.path.join(here, "gpt.safetensors")).items()}
    plain = [v for k, v in p.items() if k.endswith(".bias") or "ln_" in k]
    decayed = [v for v in p.values() if not any(v is w for w in plain)]
    groups = [{"params": decayed, "weight_decay": 0.1}, {"params": plain, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=1, betas=(0.9, 0.99), eps=1e-4)
    lines, gradients = [], []
    for step in range(10):
        for group in optimizer.param_groups:
            group["lr"] = make.cosine(step + 1)
        optimizer.zero_grad()
        x, target, _ = make.windows(step)
        loss = F.cross_entropy(gpt(p, x).flatten(0, 1), target.flatten())
        loss.backward()
        lines.append(f"{loss.item():.9g}\n")
        torch.nn.utils.clip_grad_norm_(p.values(), 0.5)
        for name in ("ln_f.bias", "h.1.ln_2.weight", "h.1.attn.c_proj.bias", "h.1.mlp.c_proj.bias") if step == 0 else ():
            gradients.append(f"{name} {' '.join(f'{v:.7g}' for v in p[name].grad.tolist())}\n")
        optimizer.step()
    open(os.path.join(here, "mixed_gpt.losses"), "w").writelines(lines)
    open(os.path.join(here, "mixed_gpt.gradients"), "w").writelines(gradients)


if __name__ == "__main__":
    scaled()
    transformer()
