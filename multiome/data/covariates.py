"""Experimental batches: where a covariate is looked up, and its levels as integers."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from multiome.data.cells import Cells, apart_in
from multiome.data.spec import Covariate, DataSpec
from multiome.errors import InvalidPairing, MultiomeError, MultiomeWarning, listed, unknown

UNSEEN = -1
"""A level that training did not have; it gets the average effect of the training levels."""
FEW_CELLS = 10
"""Levels with fewer cells than this are mentioned."""


def column(cells: Cells, name: str) -> pd.Series:
    """One level per cell, as text, from ``mdata.obs`` and, where that says nothing, from the modalities' ``obs``.

    Wherever several of them say something, they must agree. A whole number is one level whether it is stored as ``1``
    or, beside missing values, as ``1.0``. A cell without a value has None.
    """
    if name in cells.obs:
        merged = as_text(cells.obs[name])
    elif any(name in adata.obs for adata in cells.mods.values()):
        merged = np.full(len(cells.obs_names), None, dtype=object)
    else:
        exist = {*cells.obs.columns, *(c for a in cells.mods.values() for c in a.obs.columns)}
        raise unknown("batch_key", name, sorted(map(str, exist)))
    missing = pd.isna(merged)
    source = ["mdata.obs"] if name in cells.obs else []
    for key in [key for key, adata in cells.mods.items() if name in adata.obs and adata.obs is not cells.obs]:
        there = cells.observed(key)
        values = np.full(len(merged), None, dtype=object)
        values[there] = as_text(cells.mods[key].obs[name])[cells.rows[key][there]]
        clash = ~missing & ~pd.isna(values) & (merged != values)
        if clash.any():
            first = int(np.flatnonzero(clash)[0])
            raise InvalidPairing(
                f"batch_key {name!r}: {listed(source)} and {key!r} disagree in {clash.sum():,} cells (first: "
                f"{cells.obs_names[first]!r} is {merged[first]!r} and {values[first]!r}). "
                f"Make them agree, or keep the column {name!r} only where it is right."
            )
        merged = np.where(missing, values, merged)
        missing = pd.isna(merged)
        source.append(key)
    return pd.Series(merged, index=cells.obs_names)


def as_text(values: pd.Series) -> np.ndarray:
    """Levels as strings, None where missing.

    Raises
    ------
    MultiomeError
        If the column holds something else than single values.
    """
    try:
        codes, levels = pd.factorize(values)
    except TypeError as error:  # lists, dicts
        first = next(iter(values.dropna()), None)
        raise MultiomeError(
            f"batch_key {values.name!r} must hold one level per cell, such as a donor's name, got values of type "
            f"{type(first).__name__}."
        ) from error
    names = [str(int(x)) if isinstance(x, float | np.floating) and x.is_integer() else str(x) for x in levels]
    return np.asarray([*names, None], dtype=object)[codes]


def batch_names(batch_key: str | Sequence[str] | None) -> list[str]:
    """The columns that a user names; none for None or an empty list.

    Raises
    ------
    MultiomeError
        If one is no name, or named twice.
    """
    if batch_key is None:
        return []
    several = isinstance(batch_key, Iterable) and not isinstance(batch_key, str | Mapping)
    given = list(batch_key) if several else [batch_key]
    names = [name for name in given if isinstance(name, str)]
    if len(names) < len(given):
        raise MultiomeError(
            f"`batch_key` must be the name of a column of obs, or several names, got {batch_key!r}. Where the batches "
            "are at hand as values, store them first: mdata.obs['batch'] = ..., and pass batch_key='batch'."
        )
    twice = sorted({name for name in names if names.count(name) > 1}, key=str)
    if twice:
        raise MultiomeError(f"`batch_key` names {listed(twice)} more than once, got {names!r}; name each column once.")
    return names


def settled(cells: Cells, batch_key: str | Sequence[str] | None) -> Cells:
    """The same cells, each covariate in ``obs`` whichever modality says it, also one that is then left out."""
    columns = {name: column(cells, name) for name in batch_names(batch_key)}
    return replace(cells, obs=cells.obs.assign(**columns)) if columns else cells


def check_levels(covariates: Sequence[Covariate]) -> None:
    """Levels must be batches of cells: what few cells share cannot be told from what they are.

    Raises
    ------
    MultiomeError
        If every cell has a level of its own.
    """
    for covariate in covariates:
        name, n_levels = covariate.name, len(covariate.levels)
        if n_levels > 1 and n_levels == sum(covariate.n_cells):
            raise MultiomeError(
                f"batch_key {name!r} has {n_levels:,} levels for {n_levels:,} cells (first: "
                f"{listed(covariate.levels, most=3)}): every cell would be a batch of its own, and nothing could be "
                "learnt from comparing cells. Name the column of the donor, run or lane."
            )
        few = [level for level, n in zip(covariate.levels, covariate.n_cells, strict=True) if n < FEW_CELLS]
        if few:
            warnings.warn(
                f"batch_key {name!r}: {len(few):,} of {n_levels:,} levels have fewer than {FEW_CELLS} cells "
                f"({listed(few)}). Modalities are aligned by comparing cells of one level, so little is learnt from "
                "these. Join them with others, or name a coarser column.",
                MultiomeWarning,
                stacklevel=4,
            )


def check_shared_levels(cells: Cells, covariates: Sequence[Covariate]) -> None:
    """Modalities of different (settled) cells must share levels: else batches and modalities cannot be told apart."""
    for covariate in covariates:
        level = cells.obs[covariate.name]
        held = {key: set(level[cells.observed(key)]) for key in cells.mods}
        for a, b in apart_in({key: cells.observed(key) for key in cells.mods}):
            if not held[a] & held[b]:
                warnings.warn(
                    f"batch_key {covariate.name!r}: {a!r} and {b!r} were measured in different cells and have no level "
                    "in common, so that a difference of batches cannot be told from one of modalities, and their cells "
                    "may be drawn together wrongly. Leave batch_key out, or name a column whose levels both have.",
                    MultiomeWarning,
                    stacklevel=4,
                )


def read_covariates(cells: Cells, batch_key: str | Sequence[str] | None) -> tuple[Covariate, ...]:
    """The covariates of settled training cells, levels sorted.

    Raises
    ------
    MultiomeError
        If a cell has no level.
    """
    found = []
    for name in batch_names(batch_key):
        level = cells.obs[name]
        missing = level.isna().to_numpy()
        if missing.any():
            raise MultiomeError(
                f"batch_key {name!r} has no value in {missing.sum():,} cells (first: "
                f"{listed(cells.obs_names[missing], most=3)}). Give every cell a level, for example 'unknown'."
            )
        counts = level.value_counts().sort_index()
        found.append(Covariate(name, tuple(str(level) for level in counts.index), tuple(int(n) for n in counts)))
    return tuple(found)


def query_batch_index(cells: Cells, spec: DataSpec) -> np.ndarray:
    """As `batch_index`, of cells as they come; `UNSEEN` also everywhere if there is no such column."""
    names = [covariate.name for covariate in spec.covariates]
    there = [name for name in names if name in cells.obs or any(name in a.obs for a in cells.mods.values())]
    absent = dict.fromkeys(set(names) - set(there))
    return batch_index(settled(cells, there).obs.assign(**absent), spec.covariates)


def batch_index(obs: pd.DataFrame, covariates: Sequence[Covariate]) -> np.ndarray:
    """Level of each covariate per settled cell (cells x covariates).

    `UNSEEN` where training did not have the level, and where a cell has none.
    """
    index = np.full((len(obs), len(covariates)), UNSEEN, dtype=np.int64)
    for i, covariate in enumerate(covariates):
        index[:, i] = pd.Index(covariate.levels).get_indexer(obs[covariate.name])
    return index


def level_of(value: Any) -> Any:
    """A level as a user may write it: 1.0, from a column with missing values, is the level 1."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def fixed_batch_index(spec: DataSpec, batch: str | float | Sequence[str], n_cells: int) -> np.ndarray:
    """The same level for every cell: predict as if measured there."""
    given = [batch] if isinstance(batch, str) or not isinstance(batch, Sequence | np.ndarray) else batch
    levels = [str(level_of(level)) for level in given]
    if not spec.covariates:
        raise MultiomeError(f"`batch` is {levels}, but the model was fitted without `batch_key`; leave it out.")
    if len(levels) != len(spec.covariates):
        names = [c.name for c in spec.covariates]
        raise MultiomeError(f"`batch` must name one level per covariate {names}, got {levels}.")
    for level, covariate in zip(levels, spec.covariates, strict=True):
        if level not in covariate.levels:
            raise unknown("batch", level, covariate.levels, where=f" of {covariate.name!r}")
    row = [covariate.levels.index(level) for level, covariate in zip(levels, spec.covariates, strict=True)]
    return np.tile(np.asarray(row, dtype=np.int64), (n_cells, 1))
