"""A modality that was not measured: expected values, and draws of it."""

from __future__ import annotations

import os
from collections.abc import Sequence

import anndata as ad
import numpy as np

from multiome.data.opened import Data
from multiome.predict.arguments import Depth
from multiome.predict.ask import ask
from multiome.predict.drawn import Wanted, check_room, draws, mention_unknown_spread
from multiome.predict.expected import expected
from multiome.predict.fitted import Fitted
from multiome.predict.prediction import Prediction
from multiome.predict.states import Query
from multiome.predict.written import check_written, write_prediction


def impute(
    fitted: Fitted,
    data: Data,
    target: str,
    *,
    scale: str | None = None,
    n_samples: int | np.integer = 100,
    depth: Depth = "predicted",
    features: Sequence[str] | None = None,
    batch: str | int | Sequence[str] | None = None,
    seed: int = 0,
    min_features: float = 0.5,
    drop_empty: bool = False,
    out: str | os.PathLike | None = None,
    interval: float | None = None,
    overwrite: bool = False,
) -> Prediction | ad.AnnData:
    """Predict ``target`` from every other modality that a cell has."""
    path = check_written(out, data=data, overwrite=overwrite, interval=interval)
    wanted = Wanted.of(fitted, target, scale=scale, n_samples=n_samples, seed=seed, interval=interval)
    query = ask(
        fitted, data, target, source=None, features=features, depth=depth, batch=batch,
        min_features=min_features, drop_empty=drop_empty,
    )  # fmt: skip
    mention_unknown_spread(query, wanted)
    return predict(query, wanted) if path is None else write_prediction(query, wanted, path)


def predict(query: Query, wanted: Wanted) -> Prediction:
    """Expected values, and draws of new measurements and of expected values.

    Raises
    ------
    MultiomeError
        If so many draws would not fit into memory.
    """
    other = "translate" if query.measured_in is None else "n_samples=0"
    check_room(
        wanted.n_samples, len(query.cells), len(query.features),
        "Choose features=[...], fewer cells or a smaller n_samples, write the result with out='NAME.zarr', or use "
        f"{other}, for expected values only.",
    )  # fmt: skip
    measured, expectations = draws(query, wanted)
    return Prediction(
        mean=expected(query, wanted.scale, seed=wanted.seed),
        draws=measured,
        expected_draws=expectations,
        scale=wanted.scale,
        modality=query.target,
        obs=query.obs,
        features=query.features,
        var=query.var,
        total=query.total,
        is_smoothed=query.measured_in is not None,
        spec=query.fitted.spec.modalities[query.target],
    )
