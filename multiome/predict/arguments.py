"""What users may ask of a prediction: which features, from which modality, at which depth."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from numbers import Real
from typing import TypeAlias

import anndata as ad
import numpy as np
import pandas as pd

from multiome.data.cells import duplicates
from multiome.data.covariates import UNSEEN, fixed_batch_index
from multiome.data.spec import DataSpec
from multiome.errors import MultiomeError, MultiomeWarning, UnknownName, listed, unknown
from multiome.predict.fitted import Fitted

Depth: TypeAlias = str | float | np.ndarray | pd.Series


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
                stacklevel=6,
            )


def check_asked(spec: DataSpec, depth: Depth, batch: str | int | Sequence[str] | None, words: tuple[str, str]) -> None:
    """What can be said of a depth and a batch before any cell is read.

    Raises
    ------
    MultiomeError
        If they are none.
    """
    if isinstance(depth, str | bool | Real) or depth is None:
        check_depth(depth, pd.Index([]), words)
    if batch is not None:
        fixed_batch_index(spec, batch, 0)


def check_depth(depth: Depth, obs_names: pd.Index, words: tuple[str, str]) -> Depth:
    """One of the words, or one positive total per cell; a `Series` is matched by name.

    Raises
    ------
    MultiomeError
        If it is neither.
    """
    choice = ", ".join(map(repr, words))
    if isinstance(depth, bool) or depth is None:
        raise MultiomeError(f"`depth` must be {choice}, a total count or one per cell, got {depth}.")
    if isinstance(depth, str):
        if depth not in words:
            raise unknown("depth", depth, words, where=" (or an array of total counts)")
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
            f"`depth` must be {choice}, a total count or one per cell, got {type(depth).__name__}."
        ) from error
    if given.shape not in ((), (1,), (n_cells,)):
        raise MultiomeError(
            f"`depth` must hold one total count for each of the {n_cells:,} cells, got shape {given.shape}."
        )
    if given.shape == () and not (np.isfinite(given) and given > 0):
        raise MultiomeError(f"`depth` must be {choice}, or positive total counts, got {depth!r}.")
    if not (np.isfinite(given).all() and (given > 0).all()):
        bad = np.flatnonzero(~(np.isfinite(given) & (given > 0)))
        raise MultiomeError(
            f"`depth` must hold positive total counts; {len(bad):,} are zero, negative, infinite or missing (first: "
            f"{given.ravel()[bad[0]]:g} of cell number {bad[0]})."
        )
    return np.broadcast_to(given, (n_cells,))
