"""Posterior predictive draws of a modality that was not measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle

import numpy as np
import torch

from multiome.data.opened import Data
from multiome.errors import MultiomeError, check_seed, check_whole
from multiome.predict.arguments import Depth
from multiome.predict.ask import ask
from multiome.predict.expected import expected
from multiome.predict.fitted import Fitted
from multiome.predict.prediction import Prediction
from multiome.predict.scale import check_scale, draw, expectation
from multiome.predict.states import Query

MAX_BYTES = 4 * 2**30
"""Draws kept in memory, at most."""


def impute(
    fitted: Fitted,
    data: Data,
    target: str,
    *,
    scale: str | None = None,
    n_samples: int | np.integer = 100,
    depth: Depth = "predicted",
    features: Sequence[str] | None = None,
    batch: str | int | Sequence[str] | None = None,
    seed: int = 0,
    min_features: float = 0.5,
    drop_empty: bool = False,
) -> Prediction:
    """Predict ``target`` from every other modality that a cell has."""
    wanted = Wanted.of(fitted, target, scale=scale, n_samples=n_samples, seed=seed)
    query = ask(
        fitted, data, target, source=None, features=features, depth=depth, batch=batch,
        min_features=min_features, drop_empty=drop_empty,
    )  # fmt: skip
    return predict(query, wanted)


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


def predict(query: Query, wanted: Wanted) -> Prediction:
    """Expected values, and draws of new measurements and of expected values.

    Raises
    ------
    MultiomeError
        If so many draws would not fit into memory.
    """
    n_bytes = 4 * 2 * wanted.n_samples * len(query.cells) * len(query.features)
    if n_bytes > MAX_BYTES:
        other = "use translate" if query.measured_in is None else "n_samples=0"
        raise MultiomeError(
            f"{wanted.n_samples} draws of {len(query.cells):,} cells x {len(query.features):,} features need "
            f"{n_bytes / 2**30:.1f} GiB (at most {MAX_BYTES / 2**30:.0f}). Choose features=[...], fewer cells or a "
            f"smaller n_samples, or {other}, for expected values only."
        )
    measured, expectations = draws(query, wanted)
    return Prediction(
        mean=expected(query, wanted.scale, seed=wanted.seed),
        draws=measured,
        expected_draws=expectations,
        scale=wanted.scale,
        modality=query.target,
        obs=query.obs,
        features=query.features,
        var=query.var,
        spec=query.fitted.spec.modalities[query.target],
    )


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
