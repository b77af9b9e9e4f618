"""Writes calibrate.logits: what numpy says of the model of gpt.lam, as quantize.py does, where weights are rounded by what calibration
measured (the pipelines with method = awq and smooth). calibrate.inputs holds what is measured. No code of Lamella's takes part.

  python3 tests/golden/calibrate.py        (numpy 2.4.6, safetensors 0.8.0)

Measured are the 32 windows of 8 letters that the verb calibrate takes of the 160 of text.txt, which lie side by side. Files hold the
measures as float32. The text is the first one for which no rounded activation lies within BORDER of a border between two steps; and of the
exponents of AWQ, the best one must be better than all others by MARGIN.
"""
import os

import numpy as np
from quantize import (EMBED, HEADS, SEQ, TooNear, gelu, here, letters, norm, p, quantized, softmax, steps_of, text,
                      write_logits)

EXAMPLES, BORDER, MARGIN = 32, 1e-4, 1e-5


def forward(tokens, table, contract):
    """The logits; `table` gives rows of embeddings, `contract` multiplies by the weight of that name."""
    x = table("wte.weight")[tokens] + table("wpe.weight")[:SEQ]
    for i in range(2):
        h = f"h.{i}."

        def conv(x, name):
            return contract(x, name + ".weight") + p[name + ".bias"]

        qkv = conv(norm(x, h + "ln_1"), h + "attn.c_attn").reshape(SEQ, 3, HEADS, EMBED // HEADS)
        q, k, v = qkv.transpose(1, 2, 0, 3)
        scores = q @ k.transpose(0, 2, 1) / np.sqrt(EMBED // HEADS)
        scores = np.where(np.tril(np.ones((SEQ, SEQ), bool)), scores, -np.inf)
        o = (softmax(scores) @ v).transpose(1, 0, 2).reshape(SEQ, EMBED)
        x = x + conv(o, h + "attn.c_proj")
        x = x + conv(gelu(conv(norm(x, h + "ln_2"), h + "mlp.c_fc")), h + "mlp.c_proj")
    return contract(norm(x, "ln_f"), "wte.weight")


def oriented(name):
    """The weight as [channel, output]."""
    return p[name].T if name == "wte.weight" else p[name]


largest, squares = {}, {}


def measure(x, name):
    largest[name] = np.maximum(largest.get(name, 0), np.abs(x).max(0))
    squares[name] = squares.get(name, 0) + (x * x).mean(0) / EXAMPLES
    return x @ oriented(name)


ids = np.array([letters.index(c) for c in text])
windows = len(ids) // SEQ
for i in range(EXAMPLES):
    begin = i * windows // EXAMPLES * SEQ
    forward(ids[begin : begin + SEQ], p.get, measure)
largest, squares = ({name: x.astype(np.float32).astype(np.float64) for name, x in d.items()} for d in (largest, squares))


def logits(tokens, bits, group, activations, smooth):
    rounded, factors = {}, {}
    for name in squares:
        w = oriented(name)
        is_table = name == "wte.weight"
        own = 8 if is_table else bits
        share = group if own == 4 and w.shape[0] > group else 0
        s = np.ones(w.shape[0])
        if smooth:
            s = largest[name] ** smooth / np.abs(w).max(1) ** (1 - smooth)
        elif not is_table:

            def error(a):
                s = np.sqrt(squares[name]) ** a
                return (squares[name] * ((quantized(w * s[:, None], 0, own, share) / s[:, None] - w) ** 2).sum(1)).sum()

            errors = np.array([error(t / 20) for t in range(20)])
            best = errors.argmin()
            assert np.delete(errors, best).min() > errors[best] * (1 + MARGIN)
            s = np.sqrt(squares[name]) ** (best / 20)
        factors[name] = s
        rounded[name] = quantized(w * s[:, None], 0, own, share)

    def contract(x, name):
        x = x / factors[name]
        if activations:
            scale = np.abs(x).max(-1, keepdims=True) / 127
            x = steps_of(x, scale, -127, 127, BORDER) * scale
        return x @ rounded[name]

    def table(name):
        if name == "wpe.weight":
            return quantized(p[name], 1, 8, 0)
        return (rounded[name] / factors[name][:, None]).T

    return forward(tokens, table, contract)


WAYS = {
    "quantize(i4, method = awq)": (4, 32, False, 0),
    "quantize(i4, method = awq, group = 8)": (4, 8, False, 0),
    "quantize(i8, method = awq)": (8, 0, False, 0),
    "quantize(i8, activations = i8, smooth = 0.5)": (8, 0, True, 0.5),
    "quantize(i4, i8, smooth = 0.8, group = 16)": (4, 16, True, 0.8),
}
if __name__ == "__main__":
    with open(os.path.join(here, "calibrate.inputs"), "w") as file:
        for measures, what in ((largest, "max"), (squares, "square")):
            for name, numbers in measures.items():
                file.write(f"{name}/input.{what} " + " ".join(f"{x:.8g}" for x in numbers) + "\n")
    write_logits("calibrate.logits", WAYS, logits, SEQ)
