"""Prints the numbers of values/quantile.lam: torch.quantile of float32, and its slopes. No code of Lamella's takes part.

  python3 tests/golden/quantile_values.py        (torch 2.15.0)
"""
import torch

torch.set_printoptions(precision=9)


def numbers(x):
    return " ".join("nan" if v != v else f"{v:.9g}" for v in x.detach().flatten().tolist())


def show(x):
    share = torch.tensor(0.9)
    for dim, q in ((1, 0.5), (0, 0.5), (1, 0.0), (1, 1.0), (1, 0.3)):
        print(numbers(torch.quantile(x, q, dim=dim)))
    print(numbers(torch.quantile(x, 0.37)))
    print(numbers(torch.quantile(x * x, 0.9, dim=0)))
    print(numbers(torch.quantile(x[..., None], 0.7, dim=2)))
    print(int((x.abs() > torch.quantile(x.abs(), 0.5)).sum()))
    print(numbers(torch.quantile(x, share * share, dim=1)))
    print(numbers(torch.quantile(x, 1.0, dim=1)))  # a share of 1.8 is taken to be 1
    print(numbers(torch.quantile(x[:, 1:], 0.6, dim=1)))


show(torch.tensor([[1, -2, 3.5, 1], [0, 0.5, 0, -0.25], [-1.5, 2.25, -7, 1e-3]]))
show(torch.tensor([[1, -2, float("nan"), 1], [2, 2, 2, 2], [-3, 0, 3, 6]]))
g = torch.ones(5, requires_grad=True)
y = torch.tensor([index * 3 % 5 * 1.5 - 2 for index in range(5)])
torch.quantile(g * y, 0.3).backward()
print(numbers(g - g.grad))
