"""Writes quantize_cache.logits: what numpy says of the model of gpt.lam with its weights from gpt.safetensors when keys and values are kept in
few bits. A line for each way begins with the pipeline; after a colon follow the logits of the text of ten letters that the first line has.
No code of Lamella's takes part; the rotation is scipy's matrix of Hadamard.

  python3 tests/golden/quantize_cache.py        (numpy 2.4.6, scipy 1.17.1, safetensors 0.8.0)

Everything is computed in float64. A step is a rounded quotient, and where that lies within BORDER of a border between two steps, float32
might take the other one: so the text is the first one of the file for which none does.
"""
import numpy as np
from quantize import EMBED, HEADS, TooNear, gelu, norm, p, softmax, write_logits
from scipy.linalg import hadamard

SEQ, BORDER = 10, 1e-4
KEY = EMBED // HEADS
ROTATION = hadamard(KEY) / np.sqrt(KEY)


def kept(rows, bits, rotated):
    """What is read of rows of keys or values after they were kept: each row of a head has a scale of its own."""
    if rotated:
        rows = rows @ ROTATION
    if bits == 8:
        scale = np.abs(rows).max(-1, keepdims=True) / 127
        low, high = -127, 127
    else:
        scale = np.take_along_axis(rows, np.abs(rows).argmax(-1)[..., None], -1) / -8
        low, high = -8, 7
    quotient = rows / scale
    if np.abs(quotient - np.floor(quotient) - 0.5).min() < BORDER:
        raise TooNear
    rows = np.clip(np.round(quotient), low, high) * scale
    return rows @ ROTATION.T if rotated else rows


def linear(x, name):
    return x @ p[name + ".weight"] + p[name + ".bias"]


def logits(tokens, keys, values):
    x = p["wte.weight"][tokens] + p["wpe.weight"][:SEQ]
    for i in range(2):
        h = f"h.{i}."
        qkv = linear(norm(x, h + "ln_1"), h + "attn.c_attn").reshape(SEQ, 3, HEADS, KEY)
        q, k, v = qkv.transpose(1, 2, 0, 3)
        scores = q @ kept(k, *keys).transpose(0, 2, 1) / np.sqrt(KEY)
        scores = np.where(np.tril(np.ones((SEQ, SEQ), bool)), scores, -np.inf)
        o = (softmax(scores) @ kept(v, *values)).transpose(1, 0, 2).reshape(SEQ, EMBED)
        x = x + linear(o, h + "attn.c_proj")
        x = x + linear(gelu(linear(norm(x, h + "ln_2"), h + "mlp.c_fc")), h + "mlp.c_proj")
    return norm(x, "ln_f") @ p["wte.weight"].T


WAYS = {
    "quantize_cache(i8)": ((8, False), (8, False)),
    "quantize_cache(i8, rotate = 1)": ((8, True), (8, True)),
    "quantize_cache(i4)": ((4, True), (4, True)),
    "quantize_cache(i4, rotate = 0)": ((4, False), (4, False)),
    'quantize_cache, quantize_cache(i4, "*.v/cache")': ((8, False), (4, True)),
}
write_logits("quantize_cache.logits", WAYS, logits, SEQ)
