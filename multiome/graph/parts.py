"""What a graph is made of, before it is checked."""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd


class Parts(NamedTuple):
    """The fields of a `GuidanceGraph`, in its order."""

    vertices: pd.MultiIndex
    edges: pd.DataFrame
    report: tuple[str, ...] = ()
    places: pd.DataFrame | None = None
