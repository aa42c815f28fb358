"""What links are made of is whole: columns, names, places, a false discovery rate."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from multiome.errors import MultiomeError, SpecMismatch, is_number, listed
from multiome.graph.checks import PLACE_DTYPES

NAMES = ["source", "target"]
NUMBERS = ["score", "p", "q", "distance", "weight", "sign"]


def check_level(q: object) -> float:
    """A false discovery rate: a number above 0 and up to 1.

    Raises
    ------
    MultiomeError
        If it is something else.
    """
    if not is_number(q) or not 0 < q <= 1:
        raise MultiomeError(f"`q` must be a number above 0 and up to 1, such as 0.1, got {q!r}.")
    return float(q)


def named(table: pd.DataFrame, source: str, target: str) -> dict[str, pd.Index]:
    """The features that a table names, by modality key."""
    sources, targets = (pd.Index(table[end].unique(), dtype=object) for end in NAMES)
    return {source: sources.union(targets, sort=False)} if source == target else {source: sources, target: targets}


def checked_table(table: pd.DataFrame) -> pd.DataFrame:
    """Pairs with all columns, and a fresh row number.

    Raises
    ------
    SpecMismatch
        If a column or a name is missing.
    """
    missing = [name for name in (*NAMES, *NUMBERS) if name not in table.columns]
    if missing:
        raise SpecMismatch(f"The table of links lacks the columns {listed(missing)}; it has {listed(table.columns)}.")
    if table[NAMES].isna().any(axis=None):
        raise SpecMismatch(f"{table[NAMES].isna().any(axis=1).sum():,} of {len(table):,} links miss a name.")
    return table.reset_index(drop=True)


def checked_places(places: Mapping[str, pd.DataFrame]) -> Mapping[str, pd.DataFrame]:
    """Places with all columns, each feature once.

    Raises
    ------
    SpecMismatch
        If a column is missing, or a feature has two places.
    """
    for key, table in places.items():
        missing = [name for name in PLACE_DTYPES if name not in table.columns]
        if missing:
            raise SpecMismatch(
                f"The places of {key!r} lack the columns {listed(missing)}; there is {listed(table.columns)}."
            )
        if not table.index.is_unique:
            twice = table.index[table.index.duplicated()]
            raise SpecMismatch(f"{len(twice):,} features of {key!r} have two places (first: {listed(twice, most=3)}).")
    return places
