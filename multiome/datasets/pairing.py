"""Which cell is measured in which modality."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias, cast

import numpy as np
import pandas as pd

from multiome.datasets.settings import Number, check_keys
from multiome.errors import InvalidPairing

Group: TypeAlias = tuple[str, ...]
Groups: TypeAlias = Mapping[Group, Number] | Sequence[Group]
Masks: TypeAlias = Mapping[str, Sequence[bool] | np.ndarray]
Pairing: TypeAlias = str | Mapping[str, Number] | Masks | Groups | pd.DataFrame


def measured(pairing: Pairing, *, n_cells: int, modalities: Sequence[str], rng: np.random.Generator) -> pd.DataFrame:
    """Cells x modalities, true where measured; every cell keeps at least one modality.

    See `multiome.datasets.simulate.simulate` for the forms that ``pairing`` may take.
    """
    table = _table(pairing, n_cells, list(modalities), rng)
    empty, never = np.flatnonzero(~table.to_numpy().any(1)), [m for m in table if not table[m].any()]
    if len(empty):
        raise InvalidPairing(f"`pairing` leaves {len(empty)} cells without any modality (first: {empty[:3].tolist()}).")
    if never:
        raise InvalidPairing(f"`pairing` measures {never} in no cell; leave it out of `modalities` or give it cells.")
    return table


def _table(pairing: Pairing, n_cells: int, modalities: list[str], rng: np.random.Generator) -> pd.DataFrame:
    if isinstance(pairing, pd.DataFrame):
        return _from_masks(pairing, n_cells, modalities)
    if isinstance(pairing, str):
        if pairing not in ("full", "unpaired"):
            raise InvalidPairing(f'`pairing` as a word must be "full" or "unpaired", got {pairing!r}.')
        groups: Sequence[Group] = [tuple(modalities)] if pairing == "full" else [(m,) for m in modalities]
        return _from_groups(groups, n_cells, modalities, rng)
    if isinstance(pairing, Mapping) and all(isinstance(key, str) for key in pairing):
        if any(np.ndim(value) for value in pairing.values()):
            return _from_masks(_frame(cast(Masks, pairing), n_cells), n_cells, modalities)
        return _from_missing(cast(Mapping[str, Number], pairing), n_cells, modalities, rng)
    return _from_groups(cast(Groups, pairing), n_cells, modalities, rng)


def _frame(masks: Masks, n_cells: int) -> pd.DataFrame:
    wrong = {name: np.shape(mask) for name, mask in masks.items() if np.shape(mask) != (n_cells,)}
    if wrong:
        raise InvalidPairing(f"`pairing` as masks needs one flag per cell, shape ({n_cells},); got {wrong}.")
    return pd.DataFrame({name: np.asarray(mask) for name, mask in masks.items()})


def _from_masks(masks: pd.DataFrame, n_cells: int, modalities: list[str]) -> pd.DataFrame:
    check_keys("pairing", masks.columns, modalities)
    if len(masks) != n_cells or not all(dtype.kind == "b" for dtype in masks.dtypes):
        raise InvalidPairing(
            f"`pairing` as a table must be boolean with one row per cell ({n_cells}); "
            f"got {len(masks)} rows of {sorted({str(d) for d in masks.dtypes})}."
        )
    absent = [m for m in modalities if m not in masks.columns]
    if absent:
        raise InvalidPairing(
            f"`pairing` as a table needs a column per modality; {absent} is missing, found {list(masks.columns)}."
        )
    return masks[modalities].reset_index(drop=True)


def _from_missing(
    missing: Mapping[str, Number], n_cells: int, modalities: list[str], rng: np.random.Generator
) -> pd.DataFrame:
    check_keys("pairing", missing, modalities)
    table = np.ones((n_cells, len(modalities)), dtype=bool)
    for name, share in missing.items():
        if not 0 <= share <= 1:
            raise InvalidPairing(
                f"`pairing[{name!r}]` is the share of cells that lack {name!r} and must lie in [0, 1], got {share!r}."
            )
        column, n = modalities.index(name), round(share * n_cells)
        able = np.flatnonzero(table.sum(1) > 1)
        if n > len(able):
            raise InvalidPairing(
                f"`pairing` {dict(missing)} would leave cells without any modality: {n} should lack {name!r}, but "
                f"only {len(able)} have another one left. Give groups with shares instead, such as "
                f"{{('rna', 'atac'): 0.5, ('rna',): 0.5}}."
            )
        table[rng.choice(able, n, replace=False), column] = False
    return pd.DataFrame(table, columns=modalities)


def _from_groups(groups: Groups, n_cells: int, modalities: list[str], rng: np.random.Generator) -> pd.DataFrame:
    try:
        shares = {
            tuple(g): float(s)
            for g, s in (groups.items() if isinstance(groups, Mapping) else ((g, 1 / len(groups)) for g in groups))
        }
    except TypeError as error:
        raise InvalidPairing(
            f"`pairing` must be a word, missing shares, groups of modalities or a boolean table, got {groups!r}."
        ) from error
    for group in shares:
        check_keys("pairing", group, modalities)
    if not shares or () in shares or any(s < 0 for s in shares.values()) or abs(sum(shares.values()) - 1) > 1e-6:
        raise InvalidPairing(
            f"The groups of `pairing` need at least one modality each and shares that sum to 1, got {shares}."
        )
    # cumulative rounding: the group sizes are exact to one cell and always add up
    edges = np.round(np.cumsum([0.0, *shares.values()]) * n_cells).astype(int).tolist()
    table, order = np.zeros((n_cells, len(modalities)), dtype=bool), rng.permutation(n_cells)
    for group, first, last in zip(shares, edges[:-1], edges[1:], strict=True):
        for name in group:
            table[order[first:last], modalities.index(name)] = True
    return pd.DataFrame(table, columns=modalities)
