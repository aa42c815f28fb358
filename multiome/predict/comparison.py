"""One direction of prediction on held-out cells: a model beside simple methods, score by score."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
import scipy.sparse as sp
from jaxtyping import Float

from multiome.data.dataset import CellDataset
from multiome.data.panels import filled
from multiome.metrics.baselines import baseline_knn, baseline_mean, baseline_ridge
from multiome.metrics.calibration import NEAR
from multiome.metrics.chromatin import accessibility
from multiome.metrics.imputation import pearson
from multiome.metrics.ranking import auroc_per_feature
from multiome.metrics.validation import dense
from multiome.predict.direction import Direction
from multiome.predict.expected import expected
from multiome.predict.feature_scores import correlation
from multiome.predict.fitted import Fitted
from multiome.predict.held_out import Measured, query_of
from multiome.predict.scale import SCALES, compared_on
from multiome.predict.uncertainty import Uncertainty, mean, of_draws, unconditional

BASELINES = {"mean": baseline_mean, "knn": baseline_knn, "ridge": baseline_ridge}
OURS = "multiome"
FEWEST = {"clr": 3}
"""Features that must be shared: a CLR of one protein is always 0, and of two it is one number and its negative."""
MIN_CELLS = 10
"""Fewer cells that have both modalities are not scored, nor is anything trained on them."""


@dataclass(frozen=True)
class Comparison:
    """Predictions of one direction for some cells, by a model and by methods trained on reference cells."""

    fitted: Fitted
    direction: Direction
    cells: CellDataset
    rows: np.ndarray
    reference: CellDataset | None
    reference_rows: np.ndarray
    """Cells that simple methods learn from; none where they are too few."""
    seed: int

    @cached_property
    def columns(self) -> np.ndarray:
        """Features of the target that the cells have, and the reference."""
        found = self.cells.matrices[self.direction.target].found
        if self.reference is not None and self.direction.target in self.reference.matrices:
            found = found & self.reference.matrices[self.direction.target].found
        return np.flatnonzero(found)

    def cannot_be(self) -> str | None:
        """Why predictions and measurements cannot be compared, if so."""
        target, least = self.direction.target, FEWEST.get(self.scale, 1)
        both = "" if self.reference is None else " and `reference`"
        if len(self.columns) < least:
            return (
                f"`data`{both} share {len(self.columns)} of the model's features of {target!r} (at least {least} are "
                f"compared)"
            )
        if self.reference is not None and len(self.reference_rows):
            for key in self.direction.sources:
                n = int((self.cells.matrices[key].found & self.reference.matrices[key].found).sum())
                if n < 2:
                    return f"`data` and `reference` share {n} of the model's features of {key!r}"
        return None

    @property
    def features(self) -> pd.Index:
        """Their names."""
        return pd.Index(self.fitted.spec.modalities[self.direction.target].features)[self.columns]

    @cached_property
    def scale(self) -> str:
        """The scale on which values are compared."""
        spec = self.fitted.spec.modalities[self.direction.target]
        return compared_on(spec.kind, is_count=spec.modality.is_count)

    @cached_property
    def measured(self) -> Float[np.ndarray, "cell feature"]:
        """What was measured, on the scale; NaN where a site was not called, or a panel lacks the feature."""
        return self.target_of(self.cells, self.rows, missing=np.nan)

    @cached_property
    def predictions(self) -> dict[str, Float[np.ndarray, "cell feature"]]:
        """What each method predicts, on the scale."""
        query = query_of(
            self.fitted, self.cells, self.rows, self.direction.target, self.features, sources=self.direction.sources
        )
        ours = expected(query, self.scale, seed=self.seed)
        found = {OURS: ours - ours.mean(1, keepdims=True) if self.scale == "clr" else ours}
        if self.reference is not None and len(self.reference_rows):
            train_y = self.target_of(self.reference, self.reference_rows, missing=None)
            train_x, is_count = self.source_of(self.reference, self.reference_rows)
            test_x, _ = self.source_of(self.cells, self.rows)
            for name, baseline in BASELINES.items():
                found[name] = baseline(train_x, train_y, test_x, counts=is_count)
        return found

    def target_of(
        self, cells: CellDataset, rows: np.ndarray, *, missing: float | None
    ) -> Float[np.ndarray, "cell feature"]:
        """Measured values on the scale, ``missing`` where nothing was measured; by default the mean of the feature."""
        theirs = Measured.of(cells, rows, self.direction.target).only(self.columns)
        y = dense(theirs.on(self.scale))
        if theirs.known is not None:
            there = theirs.known
            return np.where(there, y, np.nan) if missing is not None else filled(y, there, relative=False)
        if theirs.calls is None:
            return y
        y = np.where(theirs.calls.toarray() > 0, y, np.nan)
        return y if missing is not None else np.where(np.isnan(y), np.nan_to_num(mean(y)), y)

    def source_of(self, cells: CellDataset, rows: np.ndarray) -> tuple[sp.csr_matrix | np.ndarray, bool]:
        """What simple methods see, and whether it is counts: of one modality; of several, values on their scales."""
        parts = []
        for key in self.direction.sources:
            spec = self.fitted.spec.modalities[key]
            both = self.cells.matrices[key].found
            if self.reference is not None:
                both = both & self.reference.matrices[key].found
            theirs = Measured.of(cells, rows, key).only(both)
            panels = any(c is not None and c.matrices[key].panels is not None for c in (self.cells, self.reference))
            if len(self.direction.sources) == 1 and theirs.calls is None and not panels:
                return theirs.values, spec.modality.is_count
            y = theirs.on(compared_on(spec.kind, is_count=spec.modality.is_count))
            there = theirs.known
            parts.append(sp.csr_matrix(y if there is None else filled(dense(y), there, relative=False)))
        return sp.csr_matrix(sp.hstack(parts)), False

    def uncertainty(self, level: float, n_samples: int) -> tuple[Uncertainty, Uncertainty | None]:
        """Of the model's draws, and of the quantiles of the reference cells, which know nothing of the cell."""
        key, spec = self.direction.target, self.fitted.spec.modalities[self.direction.target]
        raw = SCALES[spec.kind][0] if spec.modality.is_count else "values"
        query = query_of(self.fitted, self.cells, self.rows, key, self.features, sources=self.direction.sources)
        theirs = Measured.of(self.cells, self.rows, key).only(self.columns)
        values, calls, there = theirs.values, theirs.calls, theirs.known
        ours = of_draws(query, values, calls, raw, known=there, level=level, n_samples=n_samples, seed=self.seed)
        if self.reference is None or not len(self.reference_rows) or calls is not None:
            return ours, None
        before = Measured.of(self.reference, self.reference_rows, key).only(self.columns)
        training, trained_in = before.values, before.known
        width, score = unconditional(training, values, ours.columns, level=level, trained_in=trained_in, known=there)
        return ours, Uncertainty(ours.columns, np.full(len(width), np.nan), width, score)

    def overall(self, level: float, n_samples: int) -> pd.DataFrame:
        """One row per method and score."""
        found = [(name, item, x) for name, p in self.predictions.items() for item, x in self.scores(p).items()]
        ours, theirs = self.uncertainty(level, n_samples)
        covered = ours.covered[~np.isnan(ours.covered)]
        found += [
            (OURS, "pit_covered", float(np.nanmean(ours.covered))),
            (OURS, "pit_features_near", float(np.mean(np.abs(covered - level) <= NEAR))),
        ]
        for name, one in ((OURS, ours), ("mean", theirs)):
            if one is not None and not np.isnan(one.score).all():
                found += [(name, "interval_width", float(np.nanmean(one.width)))]
                found += [(name, "interval_score", float(np.nanmean(one.score)))]
        predictable = self.predictable
        if predictable is not None:
            found += [(OURS, "features_predictable", float(predictable.mean()))]
        return self.tidy(found)

    def tidy(self, found: list[tuple[str, str, float]]) -> pd.DataFrame:
        """With what the rows have in common."""
        table = pd.DataFrame(found, columns=["method", "score", "value"])
        table.insert(0, "target", self.direction.target)
        table.insert(0, "source", self.direction.source)
        return table.assign(n_cells=len(self.rows), n_features=len(self.columns))

    @property
    def predictable(self) -> pd.Series | None:
        """What the model says of each feature, where it knows."""
        if self.fitted.reliability is None:
            return None
        table = self.fitted.reliability.query("modality == @key", local_dict={"key": self.direction.target})
        return None if table.empty else table.set_index("feature")["predictable"].loc[self.features]

    def scores(self, predicted: Float[np.ndarray, "cell feature"]) -> Mapping[str, float]:
        """Scores of one method."""
        if self.scale == "probability":
            return accessibility(predicted, self.measured)
        found = {"feature_r": float(np.nanmean(correlation(predicted.astype(np.float64), self.measured)))}
        if not np.isnan(self.measured).any():
            found["cell_r"] = float(np.nanmean(pearson(predicted, self.measured, per="cell")))
        return {**found, "rmse": float(np.sqrt(np.nanmean((predicted - self.measured) ** 2)))}

    def per_feature(self, level: float, n_samples: int) -> pd.DataFrame:
        """One row per feature, method and score."""
        score = "auroc" if self.scale == "probability" else "r"
        parts = []
        for name, predicted in self.predictions.items():
            value = (
                auroc_per_feature(predicted, self.measured > 0)
                if score == "auroc"
                else correlation(predicted.astype(np.float64), self.measured)
            )
            parts.append(pd.DataFrame({"feature": self.features, "method": name, "score": score, "value": value}))
        ours, theirs = self.uncertainty(level, n_samples)
        looked_at = self.features[ours.columns]
        for name, one, item in (
            (OURS, ours.covered, "pit_covered"),
            (OURS, ours.width, "interval_width"),
            (OURS, ours.score, "interval_score"),
            *(() if theirs is None else (("mean", theirs.width, "interval_width"),)),
            *(() if theirs is None else (("mean", theirs.score, "interval_score"),)),
        ):
            parts.append(pd.DataFrame({"feature": looked_at, "method": name, "score": item, "value": one}))
        table = pd.concat(parts, ignore_index=True).dropna(subset="value")
        table.insert(0, "target", self.direction.target)
        table.insert(0, "source", self.direction.source)
        table["n_cells"] = len(self.rows)
        known = self.predictable
        return table if known is None else table.assign(predictable=known.loc[table["feature"]].to_numpy())
