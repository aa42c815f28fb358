"""Expected values of a modality: over latent states and depth, without sampling noise."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import torch

from multiome.predict.block import Block
from multiome.predict.draws import antithetic
from multiome.predict.scale import expectation
from multiome.predict.states import Query

N_STATES = 8
"""Latent states averaged over per cell."""


@torch.no_grad()
def expected(query: Query, scale: str, *, seed: int, known: Iterable[Sequence[Block]] | None = None) -> np.ndarray:
    """Expectation over models, latent states and depth of the transformed value (cells x wanted features).

    What is ``known`` of the cells (`known_of`) need not be found once more for other features of them.
    """
    out = np.empty((len(query.cells), len(query.features)), dtype=np.float32)
    for index, mean in expected_by_block(query, scale, seed=seed, known=known):
        out[index] = mean
    return out


@torch.no_grad()
def known_of(query: Query) -> list[Sequence[Block]]:
    """Everything known of the cells, by each model; some of them at a time."""
    return list(zip(*(one.blocks() for one in query.of_each()), strict=True))


def expected_by_block(
    query: Query, scale: str, *, seed: int, known: Iterable[Sequence[Block]] | None = None
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The same, some neighbouring cells at a time: their indices and expectations; NaN without any source.

    Whoever asks switches gradients off: what is suspended between blocks must not.
    """
    each = query.of_each()
    # the same draws for every cell: its result must not depend on which other cells are asked for, or on their order
    noises = [antithetic(N_STATES, one.fitted.config.n_latent, torch.Generator().manual_seed(seed)) for one in each]
    for blocks in zip(*(one.blocks() for one in each), strict=True) if known is None else known:
        told = [of_one(*of, scale) for of in zip(each, blocks, noises, strict=True)]
        mean = sum(told[1:], told[0]) / len(told) if len(told) > 1 else told[0]
        index = blocks[0].index
        mean[query.nothing[index]] = np.nan
        yield index, mean


@torch.no_grad()
def of_one(query: Query, block: Block, noises: Sequence[tuple[torch.Tensor, float]], scale: str) -> np.ndarray:
    """The same of the query's own model alone, of one block."""
    mean = torch.zeros(len(block.index), len(query.features))
    for for_state, for_depth in noises:
        z = block.q.loc + block.q.scale * for_state.to(block.q.loc)
        for part, p, total in query.decode_parts(block, z, for_depth, scale):
            mean[:, part].add_(query.shown(expectation(p, scale, total), scale), alpha=1 / N_STATES)
    return mean.numpy()
