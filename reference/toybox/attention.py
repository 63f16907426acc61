"""Attention in rows of one prefix and branches: all see the prefix, a branch sees it and itself.

Two ways to the same result: `Masked` is one masked product over whole rows, for a GPU; `Branching` cuts the
branches out, so that a CPU spends no time on pairs of tokens that do not see each other.
"""

import torch
import torch.nn.functional as F


def attention(branch: torch.Tensor):
    """Who sees whom, from the branch of every token [rows, length]: 0 = prefix, -1 = padding at the end."""
    return Masked(branch) if branch.is_cuda else Branching(branch.tolist())


class Masked:
    def __init__(self, branch: torch.Tensor):
        length = branch.shape[1]
        earlier = torch.ones(length, length, dtype=torch.bool, device=branch.device).tril()
        seen = earlier & ((branch[:, None, :] == 0) | (branch[:, None, :] == branch[:, :, None]))
        self.mask = torch.where(seen, 0.0, -1e9)[:, None].to(torch.bfloat16)

    def __call__(self, q, k, v):
        """q [rows, length, heads, headDim], k, v [rows, length, kvHeads, headDim] -> like q."""
        share = q.shape[2] // k.shape[2]
        q, k, v = (x.to(v.dtype).transpose(1, 2) for x in (q, k, v))
        k, v = (x.repeat_interleave(share, 1) for x in (k, v))
        return F.scaled_dot_product_attention(q, k, v, self.mask.to(v.dtype)).transpose(1, 2)


def grouped_attention(q, k, v, mask):
    """Attention where query heads share keys: q [n, queries, heads, headDim], k, v [n, keys, kvHeads, headDim].

    mask bool [n or 1, queries, keys], True = attend. The query heads of one key head are laid end to end
    as more queries, which spares the copies of the keys. Plain products, as the backward pass of
    scaled_dot_product_attention takes four times as long on a CPU.
    """
    n, queries, heads, width = q.shape
    share = heads // k.shape[2]
    q = q.unflatten(2, (-1, share)).permute(0, 2, 3, 1, 4).flatten(2, 3) * width ** -0.5
    scores = (q @ k.permute(0, 2, 3, 1)).unflatten(2, (share, queries))
    with torch.autocast("cpu", enabled=False):  # which would copy the scores to float32 and back
        weights = scores.add(torch.where(mask, 0.0, -1e9).to(scores.dtype)[:, None, None]).softmax(-1).flatten(2, 3)
    x = weights @ v.transpose(1, 2)
    return x.unflatten(2, (share, queries)).permute(0, 3, 1, 2, 4).reshape(n, queries, heads, width)


class Branching:
    """Branches attend side by side, each to a copy of its prefix and to itself."""

    def __init__(self, branches: list[list[int]]):
        """branches: the branch of every token of every row, 0 = prefix, -1 = padding."""
        length = len(branches[0])
        runs = [[(start := row.index(b), start + row.count(b)) for b in sorted(set(row) - {-1})] for row in branches]
        prefix, longest = max(r[0][1] for r in runs), max((e - s for r in runs for s, e in r[1:]), default=0)
        count = max(len(r) for r in runs) - 1
        self.prefix, self.branch = torch.zeros(len(runs), prefix, dtype=torch.long), None
        if count:
            self.branch = torch.zeros(len(runs), count, longest, dtype=torch.long)
        self.back = torch.zeros(len(runs), length, dtype=torch.long)  # where each token's result lies
        seen = torch.zeros(len(runs), 1, prefix, dtype=torch.bool)
        for index, row in enumerate(runs):
            for number, (start, end) in enumerate(row):
                into = self.branch[index, number - 1] if number else self.prefix[index]
                into[:end - start] = torch.arange(start, end) + index * length
                at = len(runs) * prefix + (index * count + number - 1) * longest if number else index * prefix
                self.back[index, start:end] = torch.arange(at, at + end - start)
            seen[index, :, :row[0][1]] = True
        self.prefix_mask = torch.ones(1, prefix, prefix, dtype=torch.bool).tril()
        own = torch.ones(longest, longest, dtype=torch.bool).tril()
        self.mask = torch.cat((seen.expand(-1, longest, -1), own.expand(len(runs), -1, -1)), 2).repeat_interleave(count, 0)

    def __call__(self, q, k, v):
        """q [rows, length, heads, headDim], k, v [rows, length, kvHeads, headDim] -> like q."""
        heads, kv_heads = q.shape[2], k.shape[2]
        qkv = torch.cat((q, k, v), 2).flatten(0, 1)
        parts = (heads, kv_heads, kv_heads)
        q, k, v = qkv[self.prefix].split(parts, 2)
        out = grouped_attention(q, k, v, self.prefix_mask).flatten(0, 1)
        if self.branch is not None:
            own_q, own_k, own_v = qkv[self.branch.flatten(0, 1)].split(parts, 2)
            shared = [x.repeat_interleave(self.branch.shape[1], 0) for x in (k, v)]
            branch = grouped_attention(own_q, *(torch.cat(x, 1) for x in zip(shared, (own_k, own_v))), self.mask)
            out = torch.cat((out, branch.flatten(0, 1)))
        return out[self.back]
