"""A measured modality, smoothed by the model: expected values, given all that was measured of a cell."""

from __future__ import annotations

import os
from collections.abc import Sequence

import anndata as ad
import numpy as np

from multiome.data.opened import Data
from multiome.predict.arguments import Depth
from multiome.predict.ask import ask_own
from multiome.predict.drawn import Wanted, mention_unknown_spread
from multiome.predict.fitted import Fitted
from multiome.predict.impute import predict
from multiome.predict.prediction import Prediction
from multiome.predict.written import check_written, write_prediction


def denoise(
    fitted: Fitted,
    data: Data,
    modality: str,
    *,
    scale: str | None = None,
    n_samples: int | np.integer = 0,
    depth: Depth = "own",
    features: Sequence[str] | None = None,
    batch: str | int | Sequence[str] | None = None,
    seed: int = 0,
    min_features: float = 0.5,
    drop_empty: bool = False,
    out: str | os.PathLike | None = None,
    interval: float | None = None,
    overwrite: bool = False,
) -> Prediction | ad.AnnData:
    """Smooth ``modality`` in the cells that have it."""
    path = check_written(out, data=data, overwrite=overwrite, interval=interval)
    wanted = Wanted.of(
        fitted, modality, scale=scale, n_samples=n_samples, seed=seed, least_samples=0, interval=interval
    )
    query = ask_own(
        fitted, data, modality, features=features, depth=depth, batch=batch,
        min_features=min_features, drop_empty=drop_empty,
    )  # fmt: skip
    mention_unknown_spread(query, wanted)
    return predict(query, wanted) if path is None else write_prediction(query, wanted, path)
