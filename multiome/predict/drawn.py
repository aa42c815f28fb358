"""Posterior predictive draws, and what is wanted of them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import cycle

import numpy as np
import torch

from multiome.errors import check_seed, check_whole
from multiome.predict.fitted import Fitted
from multiome.predict.scale import check_scale, draw, expectation
from multiome.predict.states import Query


@dataclass(frozen=True)
class Wanted:
    """What is wanted of a prediction, checked."""

    scale: str
    n_samples: int
    seed: int

    @classmethod
    def of(
        cls,
        fitted: Fitted,
        target: str,
        *,
        scale: str | None,
        n_samples: int | np.integer,
        seed: int,
        least_samples: int = 1,
    ) -> Wanted:
        """Check it before anything is read."""
        n_samples, seed = check_whole("n_samples", n_samples, least=least_samples), check_seed(seed)
        spec = fitted.spec.modalities[fitted.spec.key(target)]
        return cls(check_scale(scale, spec.kind, is_count=spec.modality.is_count, key=target), n_samples, seed)


@torch.no_grad()
def draws(query: Query, wanted: Wanted, *, expected: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """Draws over models, latent states and depth, with and without counting noise (draws x cells x wanted features).

    The latter are none unless they are ``expected``. Where there are several models, they take turns, and cells of a
    batch that training did not have take the effect of one or another that it had.
    """
    shape, scale = (len(query.cells), len(query.features)), wanted.scale
    measured = np.full((wanted.n_samples, *shape), np.nan, dtype=np.float32)
    expectations = np.full((wanted.n_samples if expected else 0, *shape), np.nan, dtype=np.float32)
    if not wanted.n_samples:
        return measured, expectations
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(wanted.seed)
        each = query.of_each()
        for blocks in zip(*(one.blocks() for one in each), strict=True):
            for s, (one, block) in zip(range(wanted.n_samples), cycle(zip(each, blocks, strict=True)), strict=False):
                noise = torch.randn(len(block.index), 1)
                p, total = one.decode(one.in_some_batch(block), block.q.sample(), noise, scale)
                measured[s, block.index] = one.shown(draw(one.calibrated(p, scale), scale, total), scale).numpy()
                if expected:
                    expectations[s, block.index] = one.shown(expectation(p, scale, total), scale).numpy()
    measured[:, query.nothing] = np.nan
    expectations[:, query.nothing] = np.nan
    return measured, expectations
