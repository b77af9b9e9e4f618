"""Makes specs/data/gpt-nano-sort.safetensors from the published model and its intermediate tensors.

The published file lacks the three c_attn.bias vectors, though the intermediate tensors were computed with them. Block 0's is
qkv - ln1 @ c_attn.weight. Those of blocks 1 and 2 are solved for by Gauss-Newton from the blocks' outputs; the part of a key's
bias that softmax cancels has no influence and stays zero.

  python3 tests/golden/gpt_nano_sort.py MODEL PARTIALS OUTPUT
"""
import math
import sys

import torch
from safetensors.torch import load_file, save_file

torch.set_default_dtype(torch.float64)
model_path, partials_path, output_path = sys.argv[1:4]
weights = load_file(model_path)
w = {k: v.double() for k, v in weights.items()}
p = {k: v.double() for k, v in load_file(partials_path).items()}


def norm(x, name):
    return torch.nn.functional.layer_norm(x, (48,), w[name + ".weight"], w[name + ".bias"])


def gelu(x):
    return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def block(x, i, bias):
    h = f"transformer.h.{i}."
    q, k, v = (norm(x, h + "ln_1") @ w[h + "attn.c_attn.weight"].T + bias).split(48, 2)
    q, k, v = [t.reshape(3, 11, 3, 16).transpose(1, 2) for t in (q, k, v)]
    mask = torch.tril(torch.ones(11, 11)) == 0
    a = (q @ k.transpose(-1, -2) / 4).masked_fill(mask, -math.inf).softmax(-1) @ v
    x = x + a.transpose(1, 2).reshape(3, 11, 48) @ w[h + "attn.c_proj.weight"].T + w[h + "attn.c_proj.bias"]
    y = gelu(norm(x, h + "ln_2") @ w[h + "mlp.c_fc.weight"].T + w[h + "mlp.c_fc.bias"])
    return x + y @ w[h + "mlp.c_proj.weight"].T + w[h + "mlp.c_proj.bias"]


ln1 = norm(p["x"], "transformer.h.0.ln_1")
biases = [(p["qkv"] - ln1 @ w["transformer.h.0.attn.c_attn.weight"].T).reshape(-1, 144).mean(0)]
for i in (1, 2):
    bias = torch.zeros(144)
    for _ in range(30):
        residual = lambda b: (block(p[f"block{i-1}"], i, b) - p[f"block{i}"]).reshape(-1)
        jacobian = torch.autograd.functional.jacobian(residual, bias)
        bias = bias - torch.linalg.lstsq(jacobian, residual(bias)[:, None], rcond=1e-9, driver="gelsd").solution[:, 0]
    biases.append(bias)
for i in range(3):
    x = p["x"] if i == 0 else p[f"block{i-1}"]
    print(f"block {i}: largest difference", (block(x, i, biases[i]) - p[f"block{i}"]).abs().max().item())
    weights[f"transformer.h.{i}.attn.c_attn.bias"] = biases[i].float()
save_file(weights, output_path, {"source": "bbycroft/llm-viz gpt-nano-sort-model.json; c_attn.bias recovered"})
