"""Expected values of a modality that was not measured: no sampling noise, no draws kept."""

from __future__ import annotations

import os
from collections.abc import Sequence

import anndata as ad

from multiome.data.opened import Data
from multiome.errors import check_seed
from multiome.predict.arguments import Depth
from multiome.predict.ask import ask
from multiome.predict.expected import expected
from multiome.predict.fitted import Fitted
from multiome.predict.prediction import as_anndata
from multiome.predict.scale import check_scale
from multiome.predict.written import check_written, write_expected


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
    seed = check_seed(seed)
    path = None if out is None else check_written(out, overwrite=overwrite)
    spec = fitted.spec.modalities[fitted.spec.key(target)]
    scale = check_scale(scale, spec.kind, is_count=spec.modality.is_count, key=target)
    fitted.spec.key(source)  # one source, named
    query = ask(
        fitted, data, target, source=source, features=features, depth=depth, batch=batch,
        min_features=min_features, drop_empty=drop_empty,
    )  # fmt: skip
    if path is not None:
        return write_expected(query, scale, path, seed=seed)
    mean = expected(query, scale, seed=seed)
    return as_anndata(mean, query.obs, query.var, scale, query.target)
