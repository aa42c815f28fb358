"""Expected values of a modality that was not measured: no sampling noise, no draws kept."""

from __future__ import annotations

from collections.abc import Sequence

import anndata as ad
import numpy as np
import torch

from multiome.data.opened import Data
from multiome.errors import check_seed
from multiome.predict.arguments import Depth
from multiome.predict.ask import ask
from multiome.predict.draws import antithetic
from multiome.predict.fitted import Fitted
from multiome.predict.prediction import as_anndata
from multiome.predict.scale import check_scale, expectation
from multiome.predict.states import Query

N_STATES = 8
"""Latent states averaged over per cell."""


def translate(
    fitted: Fitted,
    data: Data,
    *,
    source: str,
    target: str,
    scale: str | None = None,
    depth: Depth = "predicted",
    features: Sequence[str] | None = None,
    batch: str | int | Sequence[str] | None = None,
    seed: int = 0,
    min_features: float = 0.5,
    drop_empty: bool = False,
) -> ad.AnnData:
    """Expected values of ``target`` in every cell of ``source``."""
    seed = check_seed(seed)
    spec = fitted.spec.modalities[fitted.spec.key(target)]
    scale = check_scale(scale, spec.kind, is_count=spec.modality.is_count, key=target)
    fitted.spec.key(source)  # one source, named
    query = ask(
        fitted, data, target, source=source, features=features, depth=depth, batch=batch,
        min_features=min_features, drop_empty=drop_empty,
    )  # fmt: skip
    mean = expected(query, scale, seed=seed)
    return as_anndata(mean, query.obs, query.var, scale, query.target)


def expected(query: Query, scale: str, *, seed: int) -> np.ndarray:
    """Expectation over models, latent states and depth of the transformed value (cells x wanted features)."""
    each = query.of_each()
    out = expected_of_one(each[0], scale, seed=seed)
    for other in each[1:]:
        out += expected_of_one(other, scale, seed=seed)
    return out / len(each) if len(each) > 1 else out


@torch.no_grad()
def expected_of_one(query: Query, scale: str, *, seed: int) -> np.ndarray:
    """The same of the query's own model alone."""
    out = np.full((len(query.cells), len(query.features)), np.nan, dtype=np.float32)
    # the same draws for every cell: its result must not depend on which other cells are asked for, or on their order
    noises = antithetic(N_STATES, query.fitted.config.n_latent, torch.Generator().manual_seed(seed))
    for block in query.blocks():
        mean = torch.zeros(len(block.index), len(query.features))
        for for_state, for_depth in noises:
            z = block.q.loc + block.q.scale * for_state.to(block.q.loc)
            p, total = query.decode(block, z, for_depth, scale)
            mean += query.shown(expectation(p, scale, total), scale) / N_STATES
        out[block.index] = mean.numpy()
    out[query.nothing] = np.nan
    return out
