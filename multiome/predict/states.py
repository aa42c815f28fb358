"""What every prediction needs: latent states, depth and experimental batch of a block of cells."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import anndata as ad
import mudata as md
import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.distributions import Normal

from multiome.data.build import read_query
from multiome.data.cells import Cells, duplicates
from multiome.data.covariates import UNSEEN, fixed_batch_index
from multiome.data.dataset import CellDataset
from multiome.data.spec import DataSpec
from multiome.errors import MultiomeError, MultiomeWarning, UnknownName, listed, unknown
from multiome.predict.embed import blocks, posterior, unmeasured, warn_unmeasured
from multiome.predict.fitted import Fitted
from multiome.predict.scale import WHOLE_CELL
from multiome.types import Batch

Depth: TypeAlias = str | float | np.ndarray | pd.Series


@dataclass(frozen=True)
class Query:
    """Cells whose ``target`` is to be predicted from the other modalities."""

    fitted: Fitted
    target: str
    view: Cells
    cells: CellDataset
    depth: Depth
    """``"predicted"``, ``"reference"``, or a total count per cell."""
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
        return torch.from_numpy(every.get_indexer(self.features).astype(np.int64)).to(self.fitted.device)

    def blocks(self) -> Iterator[Block]:
        """Everything known of the cells, a block at a time."""
        for index in blocks(self.cells):
            batch = self.cells.take(index).to(self.fitted.device)
            q = posterior(self.fitted, self.cells, batch)
            loc, scale = self.log_depth(index, q)
            yield Block(index, batch, q, as_column(loc), as_column(scale))

    def decode(self, block: Block, z: Tensor, noise: Tensor | float, scale: str) -> tuple[Any, Tensor]:
        """The distribution of the target at given states, and each cell's total count (cell x 1).

        It covers the wanted features, or all of them where the scale relates a feature to all others (CLR).
        """
        exposure = block.exposure(noise)
        total = exposure * self.fitted.spec.modalities[self.target].median_depth
        features = None if scale in WHOLE_CELL else self.feature_index()
        if self.fitted.spec.modalities[self.target].coverage_layer is not None:
            exposure = exposure.expand(-1, len(self.features))  # every site covered once: fractions do not depend on it
        return self.fitted.vae.decode(z, block.batch, self.target, exposure, features), total

    def shown(self, values: Tensor, scale: str) -> Tensor:
        """The wanted features of what `decode` covered."""
        features = self.feature_index() if scale in WHOLE_CELL else None
        return (values if features is None else values[:, features]).cpu()

    def log_depth(self, index: np.ndarray, q: Normal) -> tuple[np.ndarray, np.ndarray]:
        """Log exposure of the target and its standard deviation: predicted, the training median, or as given."""
        spec = self.fitted.spec.modalities[self.target]
        nothing = np.zeros(len(index))
        if isinstance(self.depth, np.ndarray):
            return np.log(self.depth[index] / spec.median_depth), nothing
        if not spec.has_depth or self.depth == "reference":
            return nothing, nothing
        sources = {}
        for key in self.cells.matrices:
            rows = self.cells.rows[key][index]
            there = rows >= 0
            sources[key] = np.full(len(rows), np.nan)
            sources[key][there] = np.log(self.cells.exposure[key][rows[there]])
        state = q.loc.cpu().double().numpy()
        return self.fitted.depth.predict(self.target, sources, self.cells.batch_index[index], state)


@dataclass(frozen=True)
class Block:
    """Some cells of a query."""

    index: np.ndarray
    batch: Batch
    q: Normal
    """q(z | sources)."""
    log_depth: Tensor
    log_depth_std: Tensor
    """Expected log exposure of the target, and its standard deviation (cell x 1)."""

    def exposure(self, noise: Tensor | float) -> Tensor:
        """The target's exposure (cell x 1), uncertain where it was predicted; ``noise`` is standard normal."""
        return (self.log_depth + self.log_depth_std * noise).exp().to(self.q.loc)


def as_column(values: np.ndarray) -> Tensor:
    """One value per cell, as float32 (cell x 1)."""
    return torch.from_numpy(values.astype(np.float32))[:, None]


def ask(
    fitted: Fitted,
    data: md.MuData | ad.AnnData,
    target: str,
    *,
    source: str | None,
    features: Sequence[str] | None,
    depth: Depth,
    batch: str | int | Sequence[str] | None,
    min_features: float,
    drop_empty: bool,
) -> Query:
    """Check everything a prediction needs before any of it is computed."""
    spec = fitted.spec
    target_key = spec.key(target)
    known = pd.Index(spec.modalities[target_key].features)
    wanted = known if features is None else chosen_features(features, known, target_key)
    if isinstance(data, ad.AnnData) and source is None:
        source = guess_source(data, fitted, target_key)
    if source is not None and spec.key(source) == target_key:
        raise MultiomeError(f"source and target are both {target_key!r}; predict one modality from another.")
    view, cells = read_query(
        data, spec, modality=source, target=target_key, min_features=min_features, drop_empty=drop_empty
    )
    used = list(cells.matrices)
    if batch is not None:
        cells = replace(cells, batch_index=fixed_batch_index(spec, batch, len(cells)))
    else:
        warn_unseen_batches(cells.batch_index, spec)
    nothing = unmeasured(cells)
    warn_unmeasured(np.asarray(view.obs_names[nothing]), used)
    return Query(fitted, target_key, view, cells, check_depth(depth, view.obs_names), wanted, nothing)


def chosen_features(features: Sequence[str], known: pd.Index, target: str) -> pd.Index:
    """Some features of the target, each named once.

    Raises
    ------
    UnknownName
        If one does not exist.
    MultiomeError
        If it is no collection of names, there is none, or one is named twice.
    """
    if not isinstance(features, Iterable):
        raise MultiomeError(f"`features` must be names of features of {target!r}, got {features!r}.")
    wanted = pd.Index([features] if isinstance(features, str) else [str(name) for name in features], dtype=object)
    if not len(wanted):
        raise MultiomeError(
            f"`features` is empty; name some of the {len(known):,} features of {target!r} (first: "
            f"{listed(known, most=3)}), or leave it out to get all."
        )
    for name in wanted.difference(known, sort=False)[:1]:
        raise unknown("feature", name, list(known), where=f" of {target!r}")
    if wanted.has_duplicates:
        raise MultiomeError(f"`features` names {listed(duplicates(wanted), most=3)} more than once; name each once.")
    return wanted


def guess_source(data: ad.AnnData, fitted: Fitted, target: str) -> str:
    """The modality of an `AnnData`: the one other than the target, else the one that shares most features."""
    others = [key for key in fitted.spec.modalities if key != target]
    if not others:
        raise UnknownName(f"The model knows {target!r} only; nothing to predict it from.")
    if len(others) == 1:
        return others[0]
    shared = {key: len(data.var_names.intersection(list(fitted.spec.modalities[key].features))) for key in others}
    best = max(shared, key=lambda key: shared[key])
    if not shared[best]:
        raise UnknownName(
            f"The AnnData shares no feature with {listed(others)}; is it one of them? Say which with a MuData."
        )
    return best


def warn_unseen_batches(batch_index: np.ndarray, spec: DataSpec) -> None:
    """Cells of a batch that training did not have are predicted with the average batch."""
    for i, covariate in enumerate(spec.covariates):
        n = int((batch_index[:, i] == UNSEEN).sum())
        if n:
            warnings.warn(
                f"{n:,} cells are of no {covariate.name!r} that training had ({listed(covariate.levels)}); they are "
                "predicted with the cell-weighted average of the training batches' effects. Pass batch=... to predict "
                "as if measured in one.",
                MultiomeWarning,
                stacklevel=5,
            )


def check_depth(depth: Depth, obs_names: pd.Index) -> Depth:
    """A known word, or one positive total per cell; a `Series` is matched by name.

    Raises
    ------
    MultiomeError
        If it is neither.
    """
    if isinstance(depth, bool):
        raise MultiomeError(f"`depth` must be 'predicted', 'reference', a total count or one per cell, got {depth}.")
    if isinstance(depth, str):
        if depth not in ("predicted", "reference"):
            raise unknown("depth", depth, ("predicted", "reference"), where=" (or an array of total counts)")
        return depth
    n_cells = len(obs_names)
    if isinstance(depth, pd.Series):
        absent = obs_names.difference(depth.index)
        if len(absent) or depth.index.has_duplicates:
            raise MultiomeError(
                f"`depth` is a Series, which is matched by the names in its index; {len(absent):,} of the {n_cells:,} "
                f"cells are not there (first: {listed(absent, most=3)}), or names are repeated. Give it the cells' "
                "names, or pass an array in their order."
            )
        depth = depth.loc[obs_names].to_numpy()
    try:
        given = np.asarray(depth, dtype=float)
    except (TypeError, ValueError) as error:
        raise MultiomeError(
            f"`depth` must be 'predicted', 'reference', a total count or one per cell, got {type(depth).__name__}."
        ) from error
    if given.shape not in ((), (1,), (n_cells,)):
        raise MultiomeError(
            f"`depth` must hold one total count for each of the {n_cells:,} cells, got shape {given.shape}."
        )
    if not (np.isfinite(given).all() and (given > 0).all()):
        bad = np.flatnonzero(~(np.isfinite(given) & (given > 0)))
        raise MultiomeError(
            f"`depth` must hold positive total counts; {len(bad):,} are zero, negative, infinite or missing (first: "
            f"{given.ravel()[bad[0]]:g} of cell number {bad[0]})."
        )
    return np.broadcast_to(given, (n_cells,))
