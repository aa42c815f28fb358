"""Posterior predictive draws of a modality that was not measured."""

from __future__ import annotations

from collections.abc import Sequence

import anndata as ad
import mudata as md
import numpy as np
import torch

from multiome.errors import MultiomeError, check_seed, check_whole
from multiome.predict.arguments import Depth
from multiome.predict.fitted import Fitted
from multiome.predict.prediction import Prediction
from multiome.predict.scale import check_scale, draw
from multiome.predict.states import Query, ask
from multiome.predict.translate import expected

MAX_BYTES = 4 * 2**30
"""Draws kept in memory, at most."""


def impute(
    fitted: Fitted,
    data: md.MuData | ad.AnnData,
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
    n_samples, seed = check_whole("n_samples", n_samples), check_seed(seed)
    spec = fitted.spec.modalities[fitted.spec.key(target)]
    scale = check_scale(scale, spec.kind, is_count=spec.modality.is_count, key=target)
    query = ask(
        fitted, data, target, source=None, features=features, depth=depth, batch=batch,
        min_features=min_features, drop_empty=drop_empty,
    )  # fmt: skip
    n_bytes = 4 * n_samples * len(query.cells) * len(query.features)
    if n_bytes > MAX_BYTES:
        raise MultiomeError(
            f"{n_samples} draws of {len(query.cells):,} cells x {len(query.features):,} features need "
            f"{n_bytes / 2**30:.1f} GiB "
            f"(at most {MAX_BYTES / 2**30:.0f}). Choose features=[...], fewer cells or a smaller n_samples, or use "
            "translate, which keeps expected values only."
        )
    return Prediction(
        mean=expected(query, scale, seed=seed),
        draws=draws(query, scale, n_samples, seed=seed),
        scale=scale,
        modality=query.target,
        obs=query.obs,
        features=query.features,
        spec=spec,
    )


@torch.no_grad()
def draws(query: Query, scale: str, n_samples: int, *, seed: int) -> np.ndarray:
    """Draws over latent states, depth and counting noise (draws x cells x wanted features)."""
    out = np.full((n_samples, len(query.cells), len(query.features)), np.nan, dtype=np.float32)
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(seed)
        for block in query.blocks():
            for s in range(n_samples):
                noise = torch.randn(len(block.index), 1)
                p, total = query.decode(block, block.q.sample(), noise, scale)
                out[s, block.index] = query.shown(draw(p, scale, total), scale).numpy()
    out[:, query.nothing] = np.nan
    return out
