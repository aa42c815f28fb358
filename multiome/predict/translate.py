"""Expected values of a modality that was not measured: no sampling noise, no draws kept."""

from __future__ import annotations

from collections.abc import Sequence

import anndata as ad
import mudata as md
import numpy as np
import torch

from multiome.predict.fitted import Fitted
from multiome.predict.prediction import as_anndata
from multiome.predict.scale import check_scale, expectation
from multiome.predict.states import Depth, Query, ask

N_STATES = 8
"""Latent states averaged over per cell."""


def translate(
    fitted: Fitted,
    data: md.MuData | ad.AnnData,
    *,
    source: str,
    target: str,
    scale: str | None = None,
    depth: Depth = "predicted",
    features: Sequence[str] | None = None,
    batch: str | Sequence[str] | None = None,
    seed: int = 0,
    min_features: float = 0.5,
    drop_empty: bool = False,
) -> ad.AnnData:
    """Expected values of ``target`` in every cell of ``source``."""
    spec = fitted.spec.modalities[fitted.spec.key(target)]
    scale = check_scale(scale, spec.kind, is_count=spec.modality.is_count, key=target)
    query = ask(
        fitted, data, target, source=source, features=features, depth=depth, batch=batch,
        min_features=min_features, drop_empty=drop_empty,
    )  # fmt: skip
    mean = expected(query, scale, seed=seed)
    return as_anndata(mean, query.obs, query.features, scale, query.target)


@torch.no_grad()
def expected(query: Query, scale: str, *, seed: int) -> np.ndarray:
    """Expectation over latent states and depth of the transformed value (cells x wanted features)."""
    fitted, target = query.fitted, query.target
    median = fitted.spec.modalities[target].median_depth
    wanted = query.feature_index()
    decoded = None if scale == "clr" else wanted
    out = np.full((len(query.cells), len(query.features)), np.nan, dtype=np.float32)
    rng = torch.Generator().manual_seed(seed)
    for index, batch, q in query.blocks():
        total = torch.zeros(len(index), len(query.features))
        for noise in antithetic(N_STATES, len(index), fitted.config.n_latent + 1, rng):
            z = q.loc + q.scale * noise[:, 1:].to(q.loc)
            exposure = exposure_of(query, index, noise[:, :1]).to(q.loc)
            p = fitted.vae.decode(z, batch, target, exposure, None if decoded is None else decoded.to(z.device))
            value = expectation(p, scale, exposure * median)
            total += (value if wanted is decoded or wanted is None else value[:, wanted]).cpu()
        out[index] = (total / N_STATES).numpy()
    out[query.nothing] = np.nan
    return out


def antithetic(n: int, n_cells: int, n_dims: int, rng: torch.Generator) -> list[torch.Tensor]:
    """Standard normal draws in pairs of opposite sign: their mean is exactly 0."""
    half = [torch.randn(n_cells, n_dims, generator=rng) for _ in range(n // 2)]
    return [sign * noise for noise in half for sign in (1, -1)]


def exposure_of(query: Query, index: np.ndarray, noise: torch.Tensor) -> torch.Tensor:
    """A cell's exposure, uncertain where it was predicted (cell x 1); the mean over the noise is the expected log depth."""
    loc = torch.from_numpy(query.log_depth[index].astype(np.float32))[:, None]
    scale = torch.from_numpy(query.log_depth_std[index].astype(np.float32))[:, None]
    return (loc + scale * noise).exp()
