"""Writes quantize.logits: what numpy says of the model of gpt.lam with its weights from gpt.safetensors in few bits. A line for each way
begins with the pipeline; after a colon follow the logits of the text of eight letters that the first line has. No code of Lamella's takes part.

  python3 tests/golden/quantize.py        (numpy 2.4.6, safetensors 0.8.0)

Everything is computed in float64. A step of an activation is a rounded quotient, and where that lies within BORDER of a border between two
steps, float32 might take the other one: so the text is the first one of the file for which none does.
"""
import os

import numpy as np
from safetensors.numpy import load_file

here = os.path.dirname(os.path.abspath(__file__))
p = {name: x.astype(np.float64) for name, x in load_file(os.path.join(here, "gpt.safetensors")).items()}
text = open(os.path.join(here, "text.txt")).read()
letters = sorted(set(text))
HEADS, EMBED, SEQ, BORDER = 4, 32, 8, 3e-5


class TooNear(Exception):
    pass


def steps_of(x, scale, low, high, border=0.0):
    quotient = x / scale
    if np.abs(quotient - np.floor(quotient) - 0.5).min() < border:
        raise TooNear
    return np.clip(np.round(quotient), low, high)


# Dettmers et al., QLoRA, 2023, as in bitsandbytes.
NF4 = np.array([-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334,
                -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
                0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0])


def half_quadratic(w, iterations=10, norm=0.7, beta=10, growth=1.01):
    """Badri and Shaji, 2023: optimize_weights_proximal of hqq, with all iterations."""
    low, high = w.min(-1, keepdims=True), w.max(-1, keepdims=True)
    scale = 15 / (high - low)
    zero = -low * scale
    for _ in range(iterations):
        steps = np.clip(np.round(w * scale + zero), 0, 15)
        error = w - (steps - zero) / scale
        error = np.sign(error) * np.maximum(np.abs(error) - np.abs(error) ** (norm - 1) / beta, 0)
        zero = np.mean(steps - (w - error) * scale, -1, keepdims=True)
        beta *= growth
    return (np.clip(np.round(w * scale + zero), 0, 15) - zero) / scale


def quantized(w, axis, bits, group, method=None):
    """The weight as steps times scale, with a scale for each `group` elements along the axis."""
    w = np.moveaxis(w, axis, -1)
    shape = w.shape
    w = w.reshape(*shape[:-1], -1, group or shape[-1])
    if bits == 8:
        scale = np.abs(w).max(-1, keepdims=True) / 127
        w = steps_of(w, scale, -127, 127) * scale
    elif method == "hqq":
        w = half_quadratic(w)
    elif method == "table":
        scale = np.abs(w).max(-1, keepdims=True)
        w = NF4[np.abs((w / scale)[..., None] - NF4).argmin(-1)] * scale
    else:
        extreme = np.take_along_axis(w, np.abs(w).argmax(-1)[..., None], -1)
        scale = extreme / -8
        w = steps_of(w, scale, -8, 7) * scale
    return np.moveaxis(w.reshape(shape), -1, axis)


def norm(x, name):
    x = x - x.mean(-1, keepdims=True)
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + 1e-5) * p[name + ".weight"] + p[name + ".bias"]


def gelu(x):
    return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))


def softmax(x):
    x = np.exp(x - x.max(-1, keepdims=True))
    return x / x.sum(-1, keepdims=True)


def logits(tokens, bits, head_bits, group, activations, method=None):
    def weight(name, axis=0):
        is_table = name in ("wte.weight", "wpe.weight")
        own = head_bits if is_table else bits
        size = p[name].shape[axis]
        share = group if own == 4 and size > group else 0
        return quantized(p[name], axis, own, share, method)

    def contract(x, w):
        if not activations:
            return x @ w
        scale = np.abs(x).max(-1, keepdims=True) / 127
        return (steps_of(x, scale, -127, 127, BORDER) * scale) @ w

    def conv(x, name):
        return contract(x, weight(name + ".weight")) + p[name + ".bias"]

    x = weight("wte.weight", 1)[tokens] + weight("wpe.weight", 1)[:SEQ]
    for i in range(2):
        h = f"h.{i}."
        qkv = conv(norm(x, h + "ln_1"), h + "attn.c_attn").reshape(SEQ, 3, HEADS, EMBED // HEADS)
        q, k, v = qkv.transpose(1, 2, 0, 3)
        scores = q @ k.transpose(0, 2, 1) / np.sqrt(EMBED // HEADS)
        scores = np.where(np.tril(np.ones((SEQ, SEQ), bool)), scores, -np.inf)
        o = (softmax(scores) @ v).transpose(1, 0, 2).reshape(SEQ, EMBED)
        x = x + conv(o, h + "attn.c_proj")
        x = x + conv(gelu(conv(norm(x, h + "ln_2"), h + "mlp.c_fc")), h + "mlp.c_proj")
    return contract(norm(x, "ln_f"), weight("wte.weight", 1).T)


def write_logits(name, ways, logits, length):
    """Writes the logits of each way for the first text of the file for which no activation lies too near a border."""
    for start in range(len(text) - length):
        tokens = np.array([letters.index(c) for c in text[start : start + length]])
        try:
            results = {way: logits(tokens, *arguments) for way, arguments in ways.items()}
        except TooNear:
            continue
        with open(os.path.join(here, name), "w") as file:
            file.write("tokens " + ",".join(map(str, tokens)) + "\n")
            for way, numbers in results.items():
                file.write(way + ": " + " ".join(f"{x:.6f}" for x in numbers.flat) + "\n")
        return


WAYS = {
    "quantize(i8)": (8, 8, 0, False),
    "quantize(i8, activations = i8)": (8, 8, 0, True),
    "quantize(i4)": (4, 8, 32, False),
    'quantize(i4, group = 8, "*.c_*.weight", "w?e.weight")': (4, 4, 8, False),
    "quantize(i4, i8, group = 16)": (4, 8, 16, True),
    "quantize(i4, method = hqq)": (4, 8, 32, False, "hqq"),
    "quantize(i4, i8, group = 16, method = hqq)": (4, 8, 16, True, "hqq"),
    "quantize(i4, group = 16, method = table)": (4, 8, 16, False, "table"),
}
if __name__ == "__main__":
    write_logits("quantize.logits", WAYS, logits, SEQ)
