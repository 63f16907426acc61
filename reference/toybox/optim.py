"""Muon for matrices, AdamW for the rest, in one optimizer with one learning-rate schedule."""

import math

import torch


def orthogonalise(g: torch.Tensor, steps: int = 5) -> torch.Tensor:
    """Newton-Schulz: [n, rows, cols] -> the nearest semi-orthogonal matrices (Jordan et al., 2024)."""
    x = g.bfloat16()
    tall = x.shape[1] > x.shape[2]
    x = x.mT if tall else x
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(steps):
        a = x @ x.mT
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
    return (x.mT if tall else x).float()


class Muon:
    """`matrices` get momentum 0.95 (Nesterov) and orthogonalised steps, `others` plain AdamW."""

    def __init__(self, matrices, others, rate: float, other_rate: float, decay: float = 0.01):
        self.groups = {}
        for p in matrices:
            self.groups.setdefault((p.shape[0], p[0].numel()), []).append(p)
        self.momentum = {shape: torch.zeros(len(ps), *shape, device=ps[0].device) for shape, ps in self.groups.items()}
        self.others = torch.optim.AdamW(others, lr=other_rate, betas=(0.9, 0.98), weight_decay=0.0)
        self.rate, self.other_rate, self.decay = rate, other_rate, decay
        self.parameters = [*matrices, *others]

    @classmethod
    def of(cls, matrix, modules, rate: float, other_rate: float) -> "Muon":
        """For all parameters of some modules; `matrix(name)` says whose matrices are orthogonalised."""
        named = [(n, p) for module in modules for n, p in module.named_parameters()]
        chosen = lambda n, p: p.ndim > 1 and matrix(n)
        return cls([p for n, p in named if chosen(n, p)], [p for n, p in named if not chosen(n, p)], rate, other_rate)

    def state_dict(self) -> dict:
        return {"momentum": self.momentum, "others": self.others.state_dict()}

    def load_state_dict(self, state: dict) -> None:
        for shape, value in state["momentum"].items():
            self.momentum[shape].copy_(value)
        self.others.load_state_dict(state["others"])

    @torch.no_grad()
    def step(self, scale: float) -> None:
        """One update at `scale` times the base rates; clears the gradients."""
        torch.nn.utils.clip_grad_norm_(self.parameters, 1.0)
        for shape, ps in self.groups.items():
            grad = torch.stack([p.grad.reshape(shape) for p in ps])
            momentum = self.momentum[shape].mul_(0.95).add_(grad, alpha=0.05)
            update = orthogonalise(grad.lerp(momentum, 0.95)) * math.sqrt(max(1, shape[0] / shape[1]))
            for p, u in zip(ps, update):
                p.mul_(1 - self.rate * scale * self.decay).add_(u.view_as(p), alpha=-self.rate * scale)
        for group in self.others.param_groups:
            group["lr"] = self.other_rate * scale
        self.others.step()
        for p in self.parameters:
            p.grad = None
