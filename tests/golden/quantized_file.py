"""Writes quantized.safetensors: weights of the model of gpt.lam in steps that no float32 file gave, drawn here, and quantized.logits: what
numpy says of the model with them. The first line has the tokens, the second the logits. No code of Lamella's takes part.

  python3 tests/golden/quantized_file.py        (numpy 2.4.6, safetensors 0.8.0)

The tables are in 8 bits with a scale for each row, the matrices in 4 bits with a scale for each 32 elements along the axis that is summed
over, as quantize(i4) has them. The largest step of a scale's elements is not always the largest that there can be: a program that made
steps anew of the widened weights would find other ones.
"""
import os

import numpy as np
from safetensors.numpy import save_file

here = os.path.dirname(os.path.abspath(__file__))
random = np.random.default_rng(5)
VOCAB, SEQ, EMBED, HEADS, HIDDEN, GROUP = 65, 8, 32, 4, 128, 32
file, p = {}, {}


def in_steps(name, kind, low, high, scale):
    """A tensor of steps; each element of the scale is for a block of neighbours along each axis."""
    steps = file[f"{name}/{kind}"] = random.integers(low, high + 1, shapes[name]).astype(np.int8)
    scale = file[f"{name}/scale"] = (random.uniform(0.5, 1, scale) * 0.2 / high).astype(np.float32)
    for axis, extent in enumerate(steps.shape):
        scale = np.repeat(scale, extent // scale.shape[axis], axis)
    p[name] = steps.astype(np.float64) * scale


def in_float32(name, mean):
    file[name] = (random.normal(mean, 0.1, EMBED if name not in shapes else shapes[name])).astype(np.float32)
    p[name] = file[name].astype(np.float64)


shapes = {"wte.weight": (VOCAB, EMBED), "wpe.weight": (32, EMBED)}
for name in list(shapes):
    in_steps(name, "i8", -100, 100, (shapes[name][0], 1))
for i in range(2):
    h = f"h.{i}."
    for norm in ("ln_1", "ln_2"):
        in_float32(h + norm + ".weight", 1), in_float32(h + norm + ".bias", 0)
    for name, rows, columns in (("attn.c_attn", EMBED, 3 * EMBED), ("attn.c_proj", EMBED, EMBED), ("mlp.c_fc", EMBED, HIDDEN), ("mlp.c_proj", HIDDEN, EMBED)):
        shapes[h + name + ".weight"], shapes[h + name + ".bias"] = (rows, columns), (columns,)
        in_steps(h + name + ".weight", "i4", -8, 7, (rows // GROUP, columns))
        in_float32(h + name + ".bias", 0)
in_float32("ln_f.weight", 1), in_float32("ln_f.bias", 0)


def norm(x, name):
    x = x - x.mean(-1, keepdims=True)
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + 1e-5) * p[name + ".weight"] + p[name + ".bias"]


def softmax(x):
    x = np.exp(x - x.max(-1, keepdims=True))
    return x / x.sum(-1, keepdims=True)


def conv(x, name):
    return x @ p[name + ".weight"] + p[name + ".bias"]


def gelu(x):
    return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))


tokens = random.integers(0, VOCAB, SEQ)
x = p["wte.weight"][tokens] + p["wpe.weight"][:SEQ]
for i in range(2):
    h = f"h.{i}."
    q, k, v = conv(norm(x, h + "ln_1"), h + "attn.c_attn").reshape(SEQ, 3, HEADS, EMBED // HEADS).transpose(1, 2, 0, 3)
    scores = np.where(np.tril(np.ones((SEQ, SEQ), bool)), q @ k.transpose(0, 2, 1) / np.sqrt(EMBED // HEADS), -np.inf)
    x = x + conv((softmax(scores) @ v).transpose(1, 0, 2).reshape(SEQ, EMBED), h + "attn.c_proj")
    x = x + conv(gelu(conv(norm(x, h + "ln_2"), h + "mlp.c_fc")), h + "mlp.c_proj")
logits = norm(x, "ln_f") @ p["wte.weight"].T
save_file(file, os.path.join(here, "quantized.safetensors"))
with open(os.path.join(here, "quantized.logits"), "w") as out:
    out.write("tokens " + ",".join(map(str, tokens)) + "\n" + " ".join(f"{x:.6f}" for x in logits.flat) + "\n")
