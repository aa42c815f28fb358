"""Posterior predictive draws, and what is wanted of them."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle

import numpy as np
import torch

from multiome.errors import MultiomeError, MultiomeWarning, check_seed, check_whole
from multiome.predict.central import check_draws
from multiome.predict.embed import block_size
from multiome.predict.fitted import Fitted
from multiome.predict.scale import check_scale, draw, expectation
from multiome.predict.states import Query

BLOCK_BYTES = 2**29
"""Draws that are made at a time."""
MAX_BYTES = 4 * 2**30
"""Draws kept in memory, at most."""


@dataclass(frozen=True)
class Wanted:
    """What is wanted of a prediction, checked."""

    scale: str
    n_samples: int
    seed: int
    interval: float | None = None
    """Probability of the intervals that are written, if any are."""

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
        interval: float | None = None,
    ) -> Wanted:
        """Check it before anything is read."""
        n_samples, seed = check_whole("n_samples", n_samples, least=least_samples), check_seed(seed)
        spec = fitted.spec.modalities[fitted.spec.key(target)]
        scale = check_scale(scale, spec.kind, is_count=spec.modality.is_count, key=target)
        if interval is not None:
            check_draws(interval, n_samples, name="interval")
        return cls(scale, n_samples, seed, interval)


def check_room(n_samples: int, n_cells: int, n_features: int, advice: str) -> None:
    """Draws of measurements and of expected values fit into memory; ``advice`` says what to do where they do not.

    Raises
    ------
    MultiomeError
        If they do not.
    """
    n_bytes = 4 * 2 * n_samples * n_cells * n_features
    if n_bytes > MAX_BYTES:
        raise MultiomeError(
            f"{n_samples:,} draws of {n_cells:,} cell{'s' * (n_cells != 1)} x {n_features:,} features need "
            f"{n_bytes / 2**30:,.1f} GiB (at most {MAX_BYTES / 2**30:.0f}). {advice}"
        )


def mention_unknown_spread(query: Query, wanted: Wanted) -> None:
    """Say of which features draws cannot be as far apart as single cells are."""
    vague = query.fitted.vae.channel(query.target).likelihood.unknown_spread
    if vague is None or wanted.n_samples < 2:
        return
    chosen = query.feature_index
    vague = vague if chosen is None else vague[chosen]
    if vague.any():
        warnings.warn(
            f"No training cell has two calls at {int(vague.sum()):,} of {len(vague):,} sites of {query.target!r}, so "
            "that how far cells of a kind differ there cannot be known. `std` and `interval` of these sites say where "
            "the fraction of the average such cell lies, which is narrower than where single cells' fractions lie. "
            "Regions of several sites have several calls.",
            MultiomeWarning,
            stacklevel=4,
        )


@torch.no_grad()
def draws(query: Query, wanted: Wanted, *, expected: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """Draws over models, latent states and depth, with and without counting noise (draws x cells x wanted features).

    The latter are none unless they are ``expected``. Where there are several models, they take turns, and cells of a
    batch that training did not have take the effect of one or another that it had.
    """
    shape = (len(query.cells), len(query.features))
    measured = np.full((wanted.n_samples, *shape), np.nan, dtype=np.float32)
    expectations = np.full((wanted.n_samples if expected else 0, *shape), np.nan, dtype=np.float32)
    if wanted.n_samples:
        with seeded(wanted.seed):
            for index, some, of_some in draws_by_block(query, wanted, expected=expected):
                measured[:, index], expectations[:, index] = some, of_some
    return measured, expectations


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Random numbers of torch from a seed; what it would have drawn without stays as it is."""
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(seed)
        yield


def draws_by_block(
    query: Query, wanted: Wanted, *, expected: bool = True
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """The same of some neighbouring cells at a time, after their indices: as many as there is memory for their draws.

    Whoever asks seeds, and switches gradients off: what is suspended between blocks must do neither.
    """
    n, scale, each = wanted.n_samples, wanted.scale, query.of_each()
    size = min(query.block_size, block_size(2 * n * len(query.features), BLOCK_BYTES // 4))
    for blocks in zip(*(one.blocks(size) for one in each), strict=True):
        index = blocks[0].index
        measured = np.empty((n, len(index), len(query.features)), dtype=np.float32)
        expectations = np.empty((n if expected else 0, *measured.shape[1:]), dtype=np.float32)
        for s, (one, block) in zip(range(n), cycle(zip(each, blocks, strict=True)), strict=False):
            noise = torch.randn(len(index), 1)
            p, total = one.decode(one.in_some_batch(block), block.q.sample(), noise, scale)
            measured[s] = one.shown(draw(one.calibrated(p, scale), scale, total), scale).numpy()
            if expected:
                expectations[s] = one.shown(expectation(p, scale, total), scale).numpy()
        nothing = query.nothing[index]
        measured[:, nothing], expectations[:, nothing] = np.nan, np.nan
        yield index, measured, expectations
