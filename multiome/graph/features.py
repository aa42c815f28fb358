"""The features of one modality, from whatever names them."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from multiome.errors import InvalidGraph

LIKE_A_PATH = re.compile(r"[/\\]|\.(h5|h5ad|h5mu|zarr|loom|csv|tsv|txt|gz)$", re.IGNORECASE)


def feature_table(data: Any, key: str) -> pd.DataFrame:
    """The ``.var`` of an `AnnData`, or a table or sequence of names as it is; named as text.

    Raises
    ------
    InvalidGraph
        If that is no table of features, no names, or no feature at all.
    """
    if isinstance(data, pd.DataFrame):  # first: it has a method `mod`
        table = data
    elif hasattr(data, "mod"):
        raise InvalidGraph(f"{key}: give one modality, as in mdata[{key!r}], not the whole MuData.")
    elif isinstance(data, str) and not LIKE_A_PATH.search(data):
        raise InvalidGraph(
            f"{key}: got the text {data!r}; give AnnData, its `.var`, or names of features as a list of them, such as "
            f"{[data]!r}."
        )
    elif isinstance(data, str | os.PathLike):
        raise InvalidGraph(
            f"{key}: got the path {str(data)!r}; read it first, with mudata.read_h5mu or anndata.read_h5ad."
        )
    elif isinstance(data, pd.Index | pd.Series | np.ndarray | Sequence):
        table = pd.DataFrame(index=pd.Index(data, dtype=object))
    elif hasattr(data, "var_names") and hasattr(data, "var"):
        table = data.var
    else:
        raise InvalidGraph(f"{key}: expected AnnData, its `.var`, or names of features, got {type(data).__name__}.")
    if not len(table):
        raise InvalidGraph(f"{key}: there are no features.")
    if table.index.isna().any():
        raise InvalidGraph(
            f"{key}: {int(table.index.isna().sum()):,} features have no name (NaN); name or leave them out."
        )
    return table.set_axis(table.index.astype(str).rename(None), axis=0)


def check_keys(keys: object) -> None:
    """Two different names.

    Raises
    ------
    InvalidGraph
        If they are something else.
    """
    pair = tuple(keys) if isinstance(keys, tuple | list) else ()
    if len(pair) != 2 or not all(isinstance(key, str) and key for key in pair) or pair[0] == pair[1]:
        raise InvalidGraph(f'`keys` must be the two keys in the MuData, such as ("rna", "atac"), got {keys!r}.')
