"""Expected values of a modality: over latent states and depth, without sampling noise."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from multiome.predict.block import Block, Told
from multiome.predict.draws import antithetic
from multiome.predict.scale import expectation
from multiome.predict.states import Query

N_STATES = 8
"""Latent states averaged over per cell."""


@dataclass(frozen=True)
class Known:
    """Some cells as one of the models knows them."""

    block: Block
    states: Iterable[tuple[Told, float]]
    """What is said of them at each latent state, and by how many standard deviations their depth is off there."""


@torch.no_grad()
def expected(query: Query, scale: str, *, seed: int, known: Iterable[Sequence[Known]] | None = None) -> np.ndarray:
    """Expectation over models, latent states and depth of the transformed value (cells x wanted features).

    What is ``known`` of the cells (`known_of`, of the same seed) need not be found once more for other features.
    """
    out = np.empty((len(query.cells), len(query.features)), dtype=np.float32)
    for index, mean in expected_by_block(query, scale, seed=seed, known=known):
        out[index] = mean
    return out


@torch.no_grad()
def known_of(query: Query, *, seed: int) -> list[list[Known]]:
    """Everything known of the cells, by each model; some of them at a time."""
    return [[replace(one, states=list(one.states)) for one in each] for each in known_by_block(query, seed=seed)]


def known_by_block(query: Query, *, seed: int) -> Iterator[list[Known]]:
    """The same as it is found, once."""
    models = query.of_each()
    # the same draws for every cell: its result must not depend on which other cells are asked for, or on their order
    noises = [antithetic(N_STATES, one.fitted.config.n_latent, torch.Generator().manual_seed(seed)) for one in models]
    for blocks in zip(*(one.blocks() for one in models), strict=True):
        yield [Known(of[1], states(*of)) for of in zip(models, blocks, noises, strict=True)]


@torch.no_grad()
def states(query: Query, block: Block, noises: Sequence[tuple[torch.Tensor, float]]) -> Iterator[tuple[Told, float]]:
    """Of the query's own model: see `Known`."""
    for for_state, for_depth in noises:
        yield query.at(block, block.q.loc + block.q.scale * for_state.to(block.q.loc)), for_depth


def expected_by_block(
    query: Query, scale: str, *, seed: int, known: Iterable[Sequence[Known]] | None = None
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The same, some neighbouring cells at a time: their indices and expectations; NaN without any source.

    Whoever asks switches gradients off: what is suspended between blocks must not.
    """
    models = query.of_each()
    for each in known_by_block(query, seed=seed) if known is None else known:
        told = [of_one(*of, scale) for of in zip(models, each, strict=True)]
        mean = sum(told[1:], told[0]) / len(told) if len(told) > 1 else told[0]
        index = each[0].block.index
        mean[query.nothing[index]] = np.nan
        yield index, mean


@torch.no_grad()
def of_one(query: Query, known: Known, scale: str) -> np.ndarray:
    """The same of the query's own model alone, of one block."""
    mean = torch.zeros(len(known.block.index), len(query.features))
    for told, for_depth in known.states:
        for part, p, total in query.decode_parts(known.block, told, for_depth, scale):
            mean[:, part].add_(query.shown(expectation(p, scale, total), scale), alpha=1 / N_STATES)
    return mean.numpy()
