"""Makes the fixtures of pruning with the weights of gpt.safetensors: prune.kept, how many weights of each matrix torch keeps and a sum
that tells which; prune.losses, the losses of ten steps of training gpt.lam, in which pruned weights are multiplied by their masks; and
prune.gradual, how many weights are zero after each step under the schedule of Zhu and Gupta. No code of Lamella's takes part.

  python3 tests/golden/prune.py        (torch 2.15.0, safetensors 0.8.0)

A line of prune.kept: pipeline, parameter, how many weights stay, and the sum of (place + 1) over them, places row-major.
"""
import math
import os

import torch
from safetensors.torch import load_file

import make

here = os.path.dirname(os.path.abspath(__file__))
torch.set_num_threads(1)
initial = load_file(os.path.join(here, "gpt.safetensors"))
MATRICES = ["wte.weight"] + [f"h.{i}.{part}.weight" for i in range(2) for part in ("attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj")]
LAYERS = [name for name in MATRICES if name.startswith("h.")]


def l1(names, ratio, together):
    """The masks of those weights above a quantile of their magnitudes: of each matrix, or of all of them."""
    if together:
        threshold = torch.quantile(torch.cat([initial[name].abs().flatten() for name in names]), ratio)
        return {name: initial[name].abs() > threshold for name in names}
    return {name: initial[name].abs() > torch.quantile(initial[name].abs(), ratio) for name in names}


def groups(names, n, m, axis):
    """Of every m along the axis the n largest; a stable sort leaves the first of equal ones first."""
    masks = {}
    for name in names:
        w = initial[name].abs().movedim(axis[name], -1)
        order = w.reshape(*w.shape[:-1], -1, m).sort(dim=-1, descending=True, stable=True).indices
        mask = torch.zeros(order.shape, dtype=torch.bool).scatter(-1, order[..., :n], True)
        masks[name] = mask.reshape(w.shape).movedim(-1, axis[name])
    return masks


# Matrices are [in, out], but for the table, which is [vocab, embed] and is summed over along embed.
SUMMED = {name: 1 if name == "wte.weight" else 0 for name in MATRICES}
MASKS = {
    "prune(l1, 0.5)": l1(MATRICES, 0.5, False),
    'prune(l1, 0.9, "h.*")': l1(LAYERS, 0.9, False),
    "prune(l1, 0.75, global)": l1(MATRICES, 0.75, True),
    "prune(nm)": groups(MATRICES, 2, 4, SUMMED),
    'prune(nm, n = 1, m = 8, "*.c_fc.*")': groups([n for n in LAYERS if "c_fc" in n], 1, 8, SUMMED),
}

with open(os.path.join(here, "prune.kept"), "w") as file:
    for pipeline, masks in MASKS.items():
        for name, mask in masks.items():
            places = mask.flatten().nonzero().flatten() + 1
            file.write(f"{pipeline};{name};{len(places)};{int(places.sum())}\n")


class Masked(make.Model):
    """Parameters of which the model sees the product with their masks, as torch.nn.utils.prune has it."""

    def __init__(self, masks):
        self.p = {name: x.clone().requires_grad_() for name, x in initial.items()}
        self.masks = masks

    def __call__(self, name, *shape, mean=0.0):
        return self.p[name] * self.masks[name] if name in self.masks else self.p[name]


def train(m, before_step):
    """Ten steps of gpt.lam; yields the loss of each and, for each matrix in order, how many weights are zero after it."""
    plain = [v for k, v in m.p.items() if k.endswith(".bias") or "ln_" in k]
    decayed = [v for v in m.p.values() if not any(v is w for w in plain)]
    optimizer = torch.optim.AdamW(make.groups(0.1)(decayed, plain), betas=(0.9, 0.99), eps=1e-4)
    for step in range(1, 11):
        before_step(m, step)
        for group in optimizer.param_groups:
            group["lr"] = make.cosine(step)
        optimizer.zero_grad()
        ((total, weight),) = make.text_losses(m, make.gpt, step - 1)
        (total / weight).backward()
        torch.nn.utils.clip_grad_norm_(m.p.values(), 0.5)
        optimizer.step()
        yield (total / weight).item(), [int((m(name) == 0).sum()) for name in MATRICES]


def sparsity(step, final=0.8, begin=2, end=8):
    """Zhu and Gupta, 2017, equation (1), from 0 on."""
    return final * (1 - (1 - (step - begin) / (end - begin)) ** 3)


def by_and_by(m, step):
    if step in (2, 4, 6, 8):
        m.masks = {name: m(name).abs() > torch.quantile(m(name).abs(), sparsity(step)) for name in MATRICES}


with open(os.path.join(here, "prune.losses"), "w") as file:
    for loss, _ in train(Masked(MASKS["prune(l1, 0.5)"]), lambda m, step: None):
        file.write(f"{loss:.9g}\n")
with open(os.path.join(here, "prune.gradual"), "w") as file:
    for loss, zeros in train(Masked({}), by_and_by):
        file.write(f"{loss:.9g} {' '.join(map(str, zeros))}\n")
