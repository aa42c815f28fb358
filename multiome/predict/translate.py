"""Expected values of a modality that was not measured: no sampling noise, no draws kept."""

from __future__ import annotations

import os
from collections.abc import Sequence

import anndata as ad

from multiome.data.opened import Data
from multiome.predict.arguments import Depth
from multiome.predict.ask import ask
from multiome.predict.drawn import Wanted
from multiome.predict.expected import expected
from multiome.predict.fitted import Fitted
from multiome.predict.prediction import as_anndata
from multiome.predict.written import check_written, write_prediction


def translate(
    fitted: Fitted,
    data: Data,
    *,
    source: str,
    target: str,
    scale: str | None = None,
    depth: Depth = "predicted",
    features: Sequence[str] | None = None,
    batch: str | int | Sequence[str] | None = None,
    seed: int = 0,
    min_features: float = 0.5,
    drop_empty: bool = False,
    out: str | os.PathLike | None = None,
    overwrite: bool = False,
) -> ad.AnnData:
    """Expected values of ``target`` in every cell of ``source``."""
    path = check_written(out, data=data, overwrite=overwrite)
    wanted = Wanted.of(fitted, target, scale=scale, n_samples=0, seed=seed, least_samples=0)
    fitted.spec.key(source)  # one source, named
    query = ask(
        fitted, data, target, source=source, features=features, depth=depth, batch=batch,
        min_features=min_features, drop_empty=drop_empty,
    )  # fmt: skip
    if path is not None:
        return write_prediction(query, wanted, path)
    mean = expected(query, wanted.scale, seed=wanted.seed)
    return as_anndata(mean, query.obs, query.var, wanted.scale, query.target)
