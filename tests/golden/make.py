"""Makes the golden fixtures: weights with every parameter drawn with standard deviation 0.1 (norms' weights about 1), and the first ten training losses of
PyTorch in float32 from them, for the models of gpt.lam, bert.lam, llama.lam and translate.lam beside this file. No code of Lamella's
takes part: models, optimisers, schedules and the random masking are written here again.

  python3 tests/golden/make.py        (torch 2.15.0, safetensors 0.8.0)
"""
import csv
import math
import os

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

here = os.path.dirname(os.path.abspath(__file__))
DTYPE = torch.float32


def philox(seed, stream, step, example, element):
    """Philox 4x32-10 (Salmon et al., 2011): four 32-bit words."""
    a, b, c, d = step, example, element & 0xFFFFFFFF, element >> 32
    for _ in range(10):
        even, odd = 0xD2511F53 * a, 0xCD9E8D57 * c
        a, b, c, d = (odd >> 32) ^ b ^ seed, odd & 0xFFFFFFFF, (even >> 32) ^ d ^ stream, even & 0xFFFFFFFF
        seed, stream = (seed + 0x9E3779B9) & 0xFFFFFFFF, (stream + 0xBB67AE85) & 0xFFFFFFFF
    return a, b, c, d


text = open(os.path.join(here, "text.txt")).read()
letters = sorted(set(text))
tokens = torch.tensor([letters.index(c) for c in text])
BATCH, SEQ, HEADS, EMBED = 4, 32, 4, 32



class Model:
    """Parameters by name; `shape` is the file's."""

    def __init__(self, seed):
        self.generator = torch.Generator().manual_seed(seed)
        self.p = {}

    def __call__(self, name, *shape, mean=0.0):
        if name not in self.p:
            self.p[name] = (torch.randn(shape, generator=self.generator) * 0.1 + mean).to(DTYPE).requires_grad_()
        return self.p[name]

    def norm(self, x, name):
        return F.layer_norm(x, (EMBED,), self(name + ".weight", EMBED, mean=1.0), self(name + ".bias", EMBED), 1e-5)

    def rms(self, x, name):
        return x * torch.rsqrt((x * x).mean(-1, keepdim=True) + 1e-5) * self(name + ".weight", EMBED, mean=1.0)

    def conv(self, x, name, n):  # [in, out]
        return x @ self(name + ".weight", x.shape[-1], n) + self(name + ".bias", n)

    def dense(self, x, name, n, bias=True):  # [out, in]
        return F.linear(x, self(name + ".weight", n, x.shape[-1]), self(name + ".bias", n) if bias else None)


def heads(x, n):
    return x.reshape(x.shape[0], x.shape[1], n, -1).transpose(1, 2)


def attend(q, k, v, mask):
    scores = (q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])).masked_fill(~mask, -math.inf)
    return (scores.softmax(-1) @ v).transpose(1, 2).flatten(2)


def causal(n):
    return torch.tril(torch.ones(n, n, dtype=torch.bool))


def mlp(m, x, h, activation):
    return m.conv(activation(m.conv(x, h + "mlp.c_fc", 4 * EMBED)), h + "mlp.c_proj", EMBED)


def causal_attention(m, x, h):
    q, k, v = [heads(t, HEADS) for t in m.conv(x, h + "c_attn", 3 * EMBED).split(EMBED, -1)]
    return m.conv(attend(q, k, v, causal(x.shape[1])), h + "c_proj", EMBED)


def bidirectional_attention(m, x, h, real):
    q, k, v = [heads(m.dense(x, f"{h}self.{n}", EMBED), HEADS) for n in ("query", "key", "value")]
    return m.dense(attend(q, k, v, real[:, None, None, :]), h + "output.dense", EMBED)


def gpt(m, tokens):
    x = m("wte.weight", 65, EMBED)[tokens] + m("wpe.weight", SEQ, EMBED)
    for i in range(2):
        h = f"h.{i}."
        x = x + causal_attention(m, m.norm(x, h + "ln_1"), h + "attn.")
        x = x + mlp(m, m.norm(x, h + "ln_2"), h, lambda t: F.gelu(t, approximate="tanh"))
    return m.norm(x, "ln_f") @ m("wte.weight").T


def bert(m, tokens):
    words = m("embeddings.word_embeddings.weight", 66, EMBED)
    x = words[tokens] + m("embeddings.position_embeddings.weight", SEQ, EMBED) + m("embeddings.token_type_embeddings.weight", 2, EMBED)[0]
    x = m.norm(x, "embeddings.LayerNorm")
    for i in range(2):
        h = f"encoder.layer.{i}."
        a = bidirectional_attention(m, x, h + "attention.", torch.ones(tokens.shape, dtype=torch.bool))
        x = m.norm(x + a, h + "attention.output.LayerNorm")
        y = m.dense(F.gelu(m.dense(x, h + "intermediate.dense", 4 * EMBED)), h + "output.dense", EMBED)
        x = m.norm(x + y, h + "output.LayerNorm")
    x = m.norm(F.gelu(m.dense(x, "cls.dense", EMBED)), "cls.LayerNorm")
    return x @ words.T + m("cls.bias", 66)


def rotary(x):  # [batch, heads, seq, key], pairs i and i + half
    half = x.shape[-1] // 2
    a = torch.arange(x.shape[2]).to(DTYPE)[:, None] * 10000.0 ** (-torch.arange(half).to(DTYPE) / half)
    lo, hi = x[..., :half], x[..., half:]
    return torch.cat([lo * a.cos() - hi * a.sin(), hi * a.cos() + lo * a.sin()], -1)


def llama(m, tokens):
    x = m("model.embed_tokens.weight", 65, EMBED)[tokens]
    for i in range(2):
        h = f"model.layers.{i}."
        y = m.rms(x, h + "input_layernorm")
        q = rotary(heads(m.dense(y, h + "self_attn.q_proj", 32, False), 4))
        k = rotary(heads(m.dense(y, h + "self_attn.k_proj", 16, False), 2)).repeat_interleave(2, 1)
        v = heads(m.dense(y, h + "self_attn.v_proj", 16, False), 2).repeat_interleave(2, 1)
        x = x + m.dense(attend(q, k, v, causal(x.shape[1])), h + "self_attn.o_proj", EMBED, False)
        y = m.rms(x, h + "post_attention_layernorm")
        y = F.silu(m.dense(y, h + "mlp.gate_proj", 64, False)) * m.dense(y, h + "mlp.up_proj", 64, False)
        x = x + m.dense(y, h + "mlp.down_proj", EMBED, False)
    return m.dense(m.rms(x, "model.norm"), "lm_head", 65, False)


def sinusoid(n):
    a = torch.arange(n).to(DTYPE)[:, None] * 10000.0 ** (-torch.arange(EMBED // 2).to(DTYPE) / (EMBED // 2))
    return torch.cat([a.sin(), a.cos()], -1)


def translate(m, batch):
    source, to = batch["from"], batch["to"]
    table = m("encoder.embed_tokens.weight", 256, EMBED)
    x = table[source] + sinusoid(12)
    for i in range(2):
        h = f"encoder.layers.{i}."
        x = x + bidirectional_attention(m, m.norm(x, h + "ln_1"), h + "self_attn.", batch["real"])
        x = x + mlp(m, m.norm(x, h + "ln_2"), h, F.gelu)
    encoded = m.norm(x, "encoder.ln_f")
    x = table[to] + sinusoid(12)
    for i in range(2):
        h = f"decoder.layers.{i}."
        x = x + causal_attention(m, m.norm(x, h + "ln_1"), h + "self_attn.")
        y = m.norm(x, h + "ln_2")
        q = heads(m.dense(y, h + "encoder_attn.q_proj", EMBED), HEADS)
        k = heads(m.dense(encoded, h + "encoder_attn.k_proj", EMBED), HEADS)
        v = heads(m.dense(encoded, h + "encoder_attn.v_proj", EMBED), HEADS)
        x = x + m.dense(attend(q, k, v, batch["real"][:, None, None, :]), h + "encoder_attn.out_proj", EMBED)
        x = x + mlp(m, m.norm(x, h + "ln_3"), h, F.relu)
    return m.norm(x, "decoder.ln_f") @ table.T


def windows(step):
    starts = [(step * BATCH + row) * SEQ for row in range(BATCH)]
    return torch.stack([tokens[s : s + SEQ] for s in starts]), torch.stack([tokens[s + 1 : s + SEQ + 1] for s in starts]), starts


MASK_STREAM = 3


def corrupt(step, begin, window):
    """BERT's corruption as runtime/masked.c defines it: the draw of token i is keyed by step, example and i."""
    changed, weight = window.clone(), torch.zeros(window.shape, dtype=DTYPE)
    for i in range(len(window)):
        words = philox(0, MASK_STREAM, step, begin, i)
        if (words[0] >> 8) / 16777216 >= 0.3:
            continue
        weight[i] = 1
        if words[1] % 10 < 8:
            changed[i] = len(letters)
        elif words[1] % 10 == 8:
            changed[i] = ((words[2] << 32) | words[3]) % len(letters)
    return changed, weight


def pad(ids, n):
    ids = ids[:n]
    return ids + [0] * (n - len(ids))


def cross_entropy(logits, target, weight):
    return (F.cross_entropy(logits.flatten(0, 1), target.flatten(), reduction="none") * weight.flatten()).sum(), weight.sum()


def run(name, model, seed, losses_of, optimizer_of, rate, clip, micro=1):
    m = Model(seed)
    list(losses_of(m, model, 0))  # draws the parameters
    save_file({k: v.detach().clone().contiguous() for k, v in m.p.items()}, os.path.join(here, name + ".safetensors"))
    plain = [v for k, v in m.p.items() if k.endswith(".bias") or "ln_" in k or "LayerNorm" in k or "norm" in k]
    decayed = [v for v in m.p.values() if not any(v is w for w in plain)]
    optimizer = optimizer_of(decayed, plain)
    lines = []
    for step in range(10):
        for group in optimizer.param_groups:
            group["lr"] = rate(step + 1)
        optimizer.zero_grad()
        parts = list(losses_of(m, model, step))
        total = sum(w for _, w in parts).detach()
        (sum(l for l, _ in parts) / total).backward()
        lines.append(f"{(sum(l for l, _ in parts) / total).item():.9g}")
        torch.nn.utils.clip_grad_norm_(m.p.values(), clip)
        optimizer.step()
    open(os.path.join(here, name + ".losses"), "w").write("\n".join(lines) + "\n")
    print(name, *lines)


def text_losses(m, model, step):
    x, y, _ = windows(step)
    yield cross_entropy(model(m, x), y, torch.ones(x.shape, dtype=DTYPE))


def masked_losses(m, model, step):
    x, _, starts = windows(step)
    rows = [corrupt(step + 1, s, x[i]) for i, s in enumerate(starts)]
    yield cross_entropy(model(m, torch.stack([r[0] for r in rows])), x, torch.stack([r[1] for r in rows]))


names = [(r["name"], r["backwards"]) for r in csv.DictReader(open(os.path.join(here, "names.csv")))]


def name_losses(m, model, step):
    for micro in range(2):
        rows = names[(step * 2 + micro) * BATCH :][:BATCH]
        first = [list(a.encode()) for a, _ in rows]
        second = [list(b.encode()) for _, b in rows]
        batch = {
            "from": torch.tensor([pad(a, 12) for a in first]),
            "real": torch.tensor([[i < len(a) for i in range(12)] for a in first]),
            "to": torch.tensor([pad([1] + b, 12) for b in second]),
        }
        target = torch.tensor([pad(b + [2], 12) for b in second])
        weight = torch.tensor([[float(i < len(b) + 1) for i in range(12)] for b in second]).to(DTYPE)
        yield cross_entropy(model(m, batch), target, weight)


def groups(decay):
    return lambda decayed, plain: [{"params": decayed, "weight_decay": decay}, {"params": plain, "weight_decay": 0.0}]


def cosine(step, high=1e-2, low=1e-3, warmup=3, steps=10):
    if step < warmup:
        return high * step / warmup
    return low + 0.5 * (high - low) * (1 + math.cos(math.pi * (step - warmup) / (steps - warmup)))


def linear(step, high=1e-2, low=1e-3, warmup=3, steps=10):
    return high * step / warmup if step < warmup else high + (low - high) * (step - warmup) / (steps - warmup)


def inverse_square_root(step, high=1e-2, warmup=4):
    return high * min(step / warmup, math.sqrt(warmup / step))


def make():
    run("gpt", gpt, 1, text_losses, lambda d, p: torch.optim.AdamW(groups(0.1)(d, p), betas=(0.9, 0.99), eps=1e-4), cosine, 0.5)
    run("bert", bert, 2, masked_losses, lambda d, p: torch.optim.Adam(groups(0.01)(d, p), eps=1e-4), linear, 0.5)
    run("llama", llama, 3, text_losses, lambda d, p: torch.optim.AdamW(groups(0.1)(d, p), betas=(0.8, 0.95), eps=1e-4), inverse_square_root, 0.5)
    run("translate", translate, 4, name_losses, lambda d, p: torch.optim.SGD(groups(0.01)(d, p), lr=1e-2, momentum=0.9, nesterov=True), lambda step: 1e-2, 1.0, 2)


if __name__ == "__main__":
    torch.set_num_threads(1)
    make()
