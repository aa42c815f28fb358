"""What every prediction needs: latent states, depth and experimental batch of a block of cells."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import anndata as ad
import mudata as md
import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.distributions import Normal

from multiome.data.build import read_query
from multiome.data.cells import Cells
from multiome.data.covariates import UNSEEN, fixed_batch_index
from multiome.data.dataset import CellDataset
from multiome.errors import MultiomeError, MultiomeWarning, UnknownName, listed, unknown
from multiome.predict.embed import blocks, posterior, unmeasured, warn_unmeasured
from multiome.predict.fitted import Fitted
from multiome.types import Batch

Depth = str | float | np.ndarray


@dataclass(frozen=True)
class Query:
    """Cells whose ``target`` is to be predicted from the other modalities."""

    fitted: Fitted
    target: str
    view: Cells
    cells: CellDataset
    log_depth: np.ndarray
    """Expected log exposure of the target (cells)."""
    log_depth_std: np.ndarray
    features: pd.Index
    nothing: np.ndarray
    """Cells without any source."""

    @property
    def obs(self) -> pd.DataFrame:
        """The cells' annotation."""
        return self.view.obs.loc[self.view.obs_names]

    def feature_index(self) -> Tensor | None:
        """The wanted features in the model's order, None if they are all of them."""
        every = pd.Index(self.fitted.spec.modalities[self.target].features)
        if self.features.equals(every):
            return None
        return torch.from_numpy(every.get_indexer(self.features).astype(np.int64))

    def blocks(self) -> Iterator[tuple[np.ndarray, Batch, Normal]]:
        """Rows, minibatch and q(z | sources), a block at a time."""
        for index in blocks(self.cells):
            batch = self.cells.take(index).to(self.fitted.device)
            yield index, batch, posterior(self.fitted, self.cells, batch)


def ask(
    fitted: Fitted,
    data: md.MuData | ad.AnnData,
    target: str,
    *,
    source: str | None,
    features: Sequence[str] | None,
    depth: Depth,
    batch: str | Sequence[str] | None,
    min_features: float,
    drop_empty: bool,
) -> Query:
    """Check everything a prediction needs before any of it is computed."""
    spec = fitted.spec
    target_key = spec.key(target)
    known = pd.Index(spec.modalities[target_key].features)
    wanted = known if features is None else pd.Index(list(features)).astype(str)
    for name in wanted.difference(known, sort=False)[:1]:
        raise unknown("feature", name, list(known), where=f" of {target_key!r}")
    if isinstance(data, ad.AnnData) and source is None:
        source = guess_source(data, fitted, target_key)
    if source is not None and spec.key(source) == target_key:
        raise MultiomeError(f"source and target are both {target_key!r}; predict one modality from another.")
    view, cells = read_query(data, spec, modality=source, min_features=min_features, drop_empty=drop_empty)
    used = [key for key in cells.matrices if key != target_key]
    if not used:
        raise UnknownName(f"The data hold {listed(cells.matrices)} only; nothing to predict {target_key!r} from.")
    cells = replace(cells, matrices={key: cells.matrices[key] for key in used})
    if batch is not None:
        cells = replace(cells, batch_index=fixed_batch_index(spec, batch, len(cells)))
    else:
        warn_unseen_batches(cells.batch_index, spec)
    nothing = unmeasured(cells)
    warn_unmeasured(np.asarray(view.obs_names[nothing]), used)
    loc, scale = log_depth(fitted, target_key, cells, depth)
    return Query(fitted, target_key, view, cells, loc, scale, wanted, nothing)


def guess_source(data: ad.AnnData, fitted: Fitted, target: str) -> str:
    """The modality of an `AnnData`: the one other than the target, else the one that shares most features."""
    others = [key for key in fitted.spec.modalities if key != target]
    if len(others) == 1:
        return others[0]
    shared = {key: len(data.var_names.intersection(list(fitted.spec.modalities[key].features))) for key in others}
    best = max(shared, key=lambda key: shared[key])
    if not shared[best]:
        raise UnknownName(f"The AnnData shares no feature with {listed(others)}; is it one of them? Say which with a MuData.")
    return best


def warn_unseen_batches(batch_index: np.ndarray, spec: object) -> None:
    """Cells of a batch that training did not have are predicted with the average batch."""
    for i, covariate in enumerate(spec.covariates):  # type: ignore[attr-defined]
        n = int((batch_index[:, i] == UNSEEN).sum())
        if n:
            warnings.warn(
                f"{n:,} cells are of no {covariate.name!r} that training had ({listed(covariate.levels)}); they are predicted "
                "with the cell-weighted average of the training batches' effects. Pass batch=... to predict as if measured in one.",
                MultiomeWarning,
                stacklevel=5,
            )


def log_depth(fitted: Fitted, target: str, cells: CellDataset, depth: Depth) -> tuple[np.ndarray, np.ndarray]:
    """Log exposure of the target per cell and its standard deviation: predicted, the training median, or as given."""
    n = len(cells)
    spec = fitted.spec.modalities[target]
    if isinstance(depth, str):
        if not spec.has_depth or depth == "reference":
            return np.zeros(n), np.zeros(n)
        if depth != "predicted":
            raise unknown("depth", depth, ("predicted", "reference"), where=" (or an array of total counts)")
        sources = {}
        for key in cells.matrices:
            rows = cells.rows[key]
            exposure = cells.exposure[key][np.maximum(rows, 0)]
            sources[key] = np.where(rows >= 0, np.log(exposure), np.nan)
        return fitted.depth.predict(target, sources, cells.batch_index)
    given = np.broadcast_to(np.asarray(depth, dtype=float), (n,))
    if not (np.isfinite(given).all() and (given > 0).all()):
        raise MultiomeError("`depth` must hold one positive total count per cell.")
    return np.log(given / spec.median_depth), np.zeros(n)
