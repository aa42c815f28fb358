"""What modalities tell of cells that are compared with each other: those of one minibatch, or of every process's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.distributions import Normal

from multiome.train.processes import rows_of_all


@dataclass(frozen=True)
class Compared:
    """Experts' states of some cells, seen once or several times."""

    observed: Mapping[str, Bool[Tensor, " cell"]]
    batch_index: Int[Tensor, "cell covariate"]
    experts: Sequence[Mapping[str, Normal]]

    def told_by(self, key: str, seen: int = 0) -> Float[Tensor, "cell latent"]:
        """Latent states as one modality alone and the prior tell them; 0 where a cell lacks it."""
        q, there = self.experts[seen][key], self.observed[key][:, None]
        # `where` before the quotient, as in `product_of_experts`: an unobserved row may hold anything, even NaN
        return torch.where(there, q.loc, 0.0) / (1 + torch.where(there, q.scale, 1.0) ** 2)

    def of_all(self) -> Compared:
        """The cells of the minibatches of all processes, in one exchange; see `rows_of_all` for the gradient."""
        states = [x for experts in self.experts for q in experts.values() for x in (q.loc, q.scale)]
        observed = torch.stack(list(self.observed.values()), 1)
        # masks, and levels of covariates, are small whole numbers, exact as float32
        parts = [*states, observed.float(), self.batch_index.float()]
        *states, observed, levels = rows_of_all(torch.cat(parts, 1)).split([part.shape[1] for part in parts], 1)
        left = iter(states)
        experts = [{key: Normal(next(left), next(left), validate_args=False) for key in each} for each in self.experts]
        seen = dict(zip(self.observed, (observed > 0).unbind(1), strict=True))
        return Compared(seen, levels.long(), experts)
