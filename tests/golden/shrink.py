"""Writes shrink.biases: what numpy leaves of gpt.safetensors when two of four heads and 50 of 128 hidden units of each layer stay, those
with the largest sums of magnitudes of all that belongs to them. A line has a bias's name, a colon and its numbers: they tell which stay.

  python3 tests/golden/shrink.py        (numpy 2.4.6, safetensors 0.8.0)
"""
import os

import numpy as np
from safetensors.numpy import load_file

here = os.path.dirname(os.path.abspath(__file__))
p = {name: x.astype(np.float64) for name, x in load_file(os.path.join(here, "gpt.safetensors")).items()}


def largest(score, count):
    return np.sort(np.argsort(-score, kind="stable")[:count])


with open(os.path.join(here, "shrink.biases"), "w") as file:
    for layer in range(2):
        h = f"h.{layer}."
        attention = np.abs(p[h + "attn.c_attn.weight"]).sum(0) + np.abs(p[h + "attn.c_attn.bias"])  # part, head, key
        score = attention.reshape(3, 4, 8).sum((0, 2)) + np.abs(p[h + "attn.c_proj.weight"]).sum(1).reshape(4, 8).sum(1)
        heads = largest(score, 2)
        bias = p[h + "attn.c_attn.bias"].reshape(3, 4, 8)[:, heads].flatten()
        file.write(f"{h}attn.c_attn.bias: " + " ".join(f"{x:.9g}" for x in bias) + "\n")
        score = np.abs(p[h + "mlp.c_fc.weight"]).sum(0) + np.abs(p[h + "mlp.c_fc.bias"]) + np.abs(p[h + "mlp.c_proj.weight"]).sum(1)
        bias = p[h + "mlp.c_fc.bias"][largest(score, 50)]
        file.write(f"{h}mlp.c_fc.bias: " + " ".join(f"{x:.9g}" for x in bias) + "\n")
