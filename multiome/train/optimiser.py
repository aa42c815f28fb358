"""AdamW in which rows of a table that a step does not look at cost nothing in that step."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.optim.adamw import adamw

AGES = 512
"""Steps after which all rows are given what they are owed, so that it need not be known of older ones."""


class Taken(NamedTuple):
    """Some rows of a table as they are now, to be looked at and changed."""

    rows: Int[Tensor, " taken"]
    values: Float[Tensor, "n_outputs taken hidden"]
    mean: Float[Tensor, "n_outputs taken hidden"]
    square: Float[Tensor, "n_outputs taken hidden"]

    def gradient(self) -> Tensor:
        """What the values have got so far, to be changed in place."""
        if self.values.grad is None:  # such as of a modality that no cell of this process has
            self.values.grad = torch.zeros_like(self.values)
        return self.values.grad


class SampledAdamW(torch.optim.AdamW):
    """AdamW; a step may `take` some rows of a table, whose gradient alone is made.

    AdamW moves the other rows too, by what is left of their momentum and by weight decay. That is made up for in closed
    form when a row is taken again, so that all becomes what it would have been. With the factor ``d_i = 1 - lr_i *
    decay`` of a step and ``c_i = lr_i * sqrt(1 - beta2**i) / (1 - beta1**i)``, a row ``x`` with moments ``m`` and ``v``
    that was taken in step s is after step t, without a gradient between,

    ``x * prod(d_i) - m / (sqrt(v) + eps) * sum(c_i * (beta1 / sqrt(beta2))**(i - s) * prod(d_j for j > i))``,

    where i runs from s + 1 to t. The sum, ``owed``, depends on the row's age t - s alone.
    """

    def __init__(self, params: Iterable[nn.Parameter], *, lr: float, weight_decay: float) -> None:
        super().__init__(params, lr=lr, weight_decay=weight_decay, fused=True)
        self.taken: dict[nn.Parameter, Taken] = {}

    def take(self, table: nn.Parameter, rows: Int[Tensor, " taken"]) -> Float[Tensor, "n_outputs taken hidden"]:
        """Rows of one of the parameters (n_outputs, rows, hidden) for this step, none of them twice."""
        self.taken[table] = taken = self.now(table, rows)
        return taken.values.requires_grad_()

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """One step of everything that has a gradient."""
        loss = super().step(closure)
        for table, leaf in self.taken.items():
            if leaf.values.grad is not None:
                taken, state = leaf._replace(values=leaf.values.detach()), self.state[table]
                self.move(state, taken, leaf.values.grad)
                self.put(table, taken)
                if state["n"] % AGES == 0:
                    self.settle_all(table)
        self.taken.clear()
        return loss

    @torch.no_grad()
    def settle(self) -> None:
        """Give all rows of all tables what they are owed."""
        for table, state in self.state.items():
            if "owed" in state:
                self.settle_all(table)

    def settle_all(self, table: Tensor) -> None:
        """Give all rows of a table what they are owed."""
        self.put(table, self.now(table, torch.arange(table.shape[1], device=table.device)))

    @torch.no_grad()
    def now(self, table: Tensor, rows: Int[Tensor, " taken"]) -> Taken:
        """Copies of rows and their moments as AdamW has them after all steps until now."""
        (group,) = self.param_groups
        state = self.state[table] or self.begin(table)
        beta1, beta2 = group["betas"]
        age = state["n"] - state["at"].index_select(0, rows)
        owed = state["owed"].take(age.long())
        kept = state["kept"] / state["kept_at"].index_select(0, rows)
        values, mean, square = (x.index_select(1, rows) for x in (table, state["exp_avg"], state["exp_avg_sq"]))
        values.mul_(kept[:, None]).addcdiv_(mean * owed[:, None], square.sqrt().add_(group["eps"]), value=-1)
        return Taken(rows, values, mean.mul_((beta1**age)[:, None]), square.mul_((beta2**age)[:, None]))

    def begin(self, table: Tensor) -> dict[str, Any]:
        """The state of a table before its first step."""
        n_rows = table.shape[1]
        self.state[table] = {
            "step": torch.zeros((), device=table.device),
            "n": 0,  # the same number, which a device need not be asked for
            "kept": 1.0,
            "owed": table.new_zeros(AGES + 1),
            "exp_avg": torch.zeros_like(table),
            "exp_avg_sq": torch.zeros_like(table),
            "at": table.new_zeros(n_rows),
            "kept_at": table.new_ones(n_rows),
        }
        return self.state[table]

    def move(self, state: dict[str, Any], taken: Taken, grad: Tensor) -> None:
        """A step of the rows that were taken, and what all others are owed for it."""
        (group,) = self.param_groups
        lr, decay, (beta1, beta2), eps = (group[name] for name in ("lr", "weight_decay", "betas", "eps"))
        adamw(
            [taken.values], [grad], [taken.mean], [taken.square], [], [state["step"]],
            fused=True, amsgrad=False, beta1=beta1, beta2=beta2, lr=lr, weight_decay=decay, eps=eps, maximize=False,
        )  # fmt: skip
        state["n"] += 1
        keep, n, owed = 1 - lr * decay, state["n"], state["owed"]
        state["kept"] *= keep
        by = lr * math.sqrt(1 - beta2**n) / (1 - beta1**n)
        left = (beta1 / math.sqrt(beta2)) ** torch.arange(1, AGES + 1, device=owed.device)
        owed[1:] = owed[:-1] * keep + by * left

    def put(self, table: Tensor, taken: Taken) -> None:
        """Write rows back, as they are after all steps until now."""
        state = self.state[table]
        for whole, part in ((table, taken.values), (state["exp_avg"], taken.mean), (state["exp_avg_sq"], taken.square)):
            whole.index_copy_(1, taken.rows, part)
        state["at"].index_fill_(0, taken.rows, state["n"])
        state["kept_at"].index_fill_(0, taken.rows, state["kept"])
