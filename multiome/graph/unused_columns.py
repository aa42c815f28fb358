"""Columns of a user's table that are not read, though they may be meant to be."""

from __future__ import annotations

from collections.abc import Collection

import pandas as pd

from multiome.errors import nearest
from multiome.graph.findings import Findings


def warn_of_misspelt(table: pd.DataFrame, read: Collection[str], findings: Findings, *, what: str) -> None:
    """Warn of columns that are named nearly as one that could be read and is absent; others are the user's own."""
    absent = [name for name in read if name not in table.columns]
    for column in table.columns.difference(list(read), sort=False):
        if hint := nearest(str(column).strip().lower(), absent):
            findings.warn(f"{what}: the column {str(column)!r} is not read.{hint}")


def warn_of_unread(table: pd.DataFrame, names: Collection[str], findings: Findings, *, what: str, advice: str) -> None:
    """Warn of columns of these names, or nearly so, that are not read."""
    for column in table.columns:
        if nearest(str(column).strip().lower(), names):
            findings.warn(f"{what}: the column {str(column)!r} is not read. {advice}")
