"""The result of imputing a modality: expected values, and draws that say how sure."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field, replace

import anndata as ad
import numpy as np
import pandas as pd
from jaxtyping import Float

from multiome.data.cells import check_unique
from multiome.data.depth import depth_of
from multiome.data.raw import checked_panels, halve
from multiome.data.spec import ModalitySpec
from multiome.errors import MultiomeError, MultiomeWarning, SpecMismatch, check_seed, listed
from multiome.metrics.calibration import pit
from multiome.predict.central import central, spread
from multiome.predict.scale import UNSEEN_SCALES, WHOLE_CELL, transform_observed

SAME_DEPTH = 0.05
"""By how much totals may differ, and in which share of the cells they may differ by more."""


@dataclass(frozen=True)
class Prediction:
    """Predicted values of one modality (cells x features), on one scale.

    ``std`` and `interval` describe a new measurement: they include the sampling noise of counts. `expected_interval`
    describes the expected value alone, whose average is ``mean``: how well the model knows where measurements would
    lie, and no measurement has to lie in it. For methylation (``scale="fraction"``) ``std`` and `interval` describe a
    site's latent fraction, without the noise of its few calls; `pit` adds that at the coverage which was observed.
    """

    mean: Float[np.ndarray, "cell feature"]
    """Expected value on ``scale``; rows of cells without any measured source are NaN."""
    draws: Float[np.ndarray, "draw cell feature"] = field(repr=False)
    """Posterior predictive draws on ``scale``: new measurements."""
    expected_draws: Float[np.ndarray, "draw cell feature"] = field(repr=False)
    """Draws of the expected value on ``scale``: over latent states and depth, without the noise of a measurement."""
    scale: str
    """``"counts"``, ``"log_cp10k"``, ``"clr"``, ``"probability"``, ``"fraction"``, ``"foreground"``,
    ``"background_removed"`` or ``"values"``."""
    modality: str
    """The key of the predicted modality."""
    obs: pd.DataFrame = field(repr=False)
    features: pd.Index = field(repr=False)
    spec: ModalitySpec = field(repr=False)
    """What the model was fitted on: its layers, whether counts were halved, and every feature of the modality."""
    var: pd.DataFrame = field(repr=False)
    """How well each feature can be predicted, as `Multiome.reliability` says; without columns where nothing is known,
    and for a modality that was measured itself."""
    total: Float[np.ndarray, " cell"] | None = field(default=None, repr=False)
    """The total count of each cell at which it was predicted, where that was said with ``depth``."""
    is_smoothed: bool = False
    """Whether the cells' own values of this modality were shown, as to `Multiome.denoise`."""

    @property
    def std(self) -> Float[np.ndarray, "cell feature"]:
        """Standard deviation of a new measurement; of the latent fraction for methylation. NaN from a single draw."""
        return np.full_like(self.mean, np.nan) if len(self.draws) < 2 else spread(self.draws)

    def interval(
        self, level: float = 0.9
    ) -> tuple[Float[np.ndarray, "cell feature"], Float[np.ndarray, "cell feature"]]:
        """Lower and upper end of the central interval that holds a new measurement with probability ``level``.

        For methylation it holds the latent fraction, of which few calls give a rough estimate only; at sites that no
        training cell shows twice, how cells differ cannot be known, and it holds the fraction of the average such cell,
        as `expected_interval` does (`Multiome.impute` warns). Counts are
        discrete, so a closed interval holds more than ``level`` even where the model is exactly right; judge
        calibration with `pit`.

        Raises
        ------
        MultiomeError
            If ``level`` is not a number between 0 and 1, or there are too few draws to see its tails.
        """
        return central(self.draws, level)

    def expected_interval(
        self, level: float = 0.9
    ) -> tuple[Float[np.ndarray, "cell feature"], Float[np.ndarray, "cell feature"]]:
        """Lower and upper end of the central interval that holds the expected value with probability ``level``.

        Without sampling noise: of `Multiome.denoise`, where the smoothed value lies; of `Multiome.impute`, where the
        average of many measurements of cells like this one would lie. It is as good as the model is right; measured
        values, which scatter around what is expected, lie outside far more often than 1 - ``level``.

        Raises
        ------
        MultiomeError
            As of `interval`.
        """
        return central(self.expected_draws, level)

    def pit(self, observed: ad.AnnData, *, seed: int = 0) -> Float[np.ndarray, "cell feature"]:
        """Randomised probability integral transform of observed raw values: uniform where the model is calibrated.

        It judges predictions of exactly these measurements: at the depth that they have, as `Multiome.impute` predicts
        it by default, and of values that the model was not shown. Warns where that is not so.

        Parameters
        ----------
        observed
            Raw values of the predicted modality for the same cells (same ``obs_names``, any order of features), in the
            layer that the model was fitted on; they are checked, and cut sites halved, as at training.
        seed
            Of the randomisation between equal counts.

        Returns
        -------
        ``F(x - 1) + V p(x)``, ``V`` uniform (Czado et al. 2009), cells x features; NaN where nothing was observed
        or predicted.

        Raises
        ------
        MultiomeError
            If ``observed`` is not one modality, lacks cells or features, holds other values than the model was fitted
            on, or the scale is ``"foreground"`` or ``"background_removed"``, which no measurement shows.
        """
        seed = check_seed(seed)
        if not len(self.draws):
            raise MultiomeError("There are no draws to compare with; predict with n_samples=100, say.")
        values, coverage = self.observed_values(observed)
        if self.is_smoothed:
            warnings.warn(
                "The model was shown the cells' own values to smooth them. Compared with these same values, the "
                "transform says nothing of calibration; with a second count of the same library it does. `impute` "
                "predicts without them.",
                MultiomeWarning,
                stacklevel=2,
            )
        nothing = np.isnan(self.mean).all(1)  # cells without a source
        draws = np.nan_to_num(self.draws) if nothing.any() else self.draws
        if coverage is not None:
            draws = np.random.default_rng(seed).binomial(coverage.astype(np.int64), draws).astype(np.float32)
            values = np.where(coverage > 0, values, np.nan)
        if self.scale in WHOLE_CELL and np.isnan(values).any():
            if len(self.features) < len(self.spec.features):
                raise MultiomeError(
                    f"On scale {self.scale!r} a cell's values refer to all {len(self.spec.features)} features, and "
                    f"cells differ in which were measured, so that {len(self.features)} of them cannot be compared "
                    "alone. Predict without features=[...], or with scale='counts'."
                )
            draws, values = among_measured(draws, values)
        result = pit(draws, values, seed=seed)
        result[nothing] = np.nan
        return result

    def observed_values(self, observed: ad.AnnData) -> tuple[np.ndarray, np.ndarray | None]:
        """Raw values on this scale, in the order of this prediction, and the coverage of methylation."""
        if not isinstance(observed, ad.AnnData):
            raise MultiomeError(
                f"`observed` must be the AnnData of one modality, such as mdata[{self.modality!r}], "
                f"got {type(observed).__name__}."
            )
        if self.scale in UNSEEN_SCALES:
            raise MultiomeError(
                f"Scale {self.scale!r} has no observed counterpart: no measurement says which counts are foreground. "
                "Impute with scale='counts' or scale='clr' to compare with measured values."
            )
        check_unique(self.modality, observed)
        every = pd.Index(self.spec.features)  # a cell's CLR refers to all features of the model
        rows = observed.obs_names.get_indexer(self.obs.index)
        names = observed.var_names.astype(str)
        columns = names.get_indexer(every)
        if (rows < 0).any():
            absent = self.obs.index[rows < 0]
            raise SpecMismatch(
                f"{len(absent):,} predicted cells are not in `observed` (first: {listed(absent, most=3)})."
            )
        if (columns < 0).any():
            absent = every[columns < 0]
            raise SpecMismatch(
                f"{len(absent):,} features of {self.modality!r} are not in `observed` "
                f"(first: {listed(absent, most=3)})."
            )
        raw, coverage, panels = checked_panels(self.modality, observed, self.spec.modality, fitted=True)
        raw = halve(raw[rows]) if self.spec.halved else raw[rows]
        panels = None if panels is None else replace(panels, member=panels.member[rows])
        shown = every.get_indexer(self.features)
        total = depth_of(
            raw, names, self.spec, panels
        )  # CP10k refers to it, and genes that were not selected count too
        self.mention_other_depth(total)
        known = None if panels is None else panels.columns(columns).of(np.arange(len(rows)))
        values = transform_observed(raw[:, columns], self.scale, total, known)[:, shown]
        return values, None if coverage is None else coverage[rows][:, columns[shown]].toarray()

    def mention_other_depth(self, total: Float[np.ndarray, " cell"]) -> None:
        """Say where predictions are of deeper or shallower cells than the measured ones."""
        if self.total is None:
            return
        n = int((np.abs(total / self.total - 1) > SAME_DEPTH).sum())
        if n > SAME_DEPTH * len(total):
            warnings.warn(
                f"Predicted were {np.median(self.total):,.0f} counts per cell (median), as `depth` says; measured were "
                f"{np.median(total):,.0f}, and in {n:,} of {len(total):,} cells another number than predicted. Cells "
                "of another depth say nothing of calibration; predict with depth='predicted', the default.",
                MultiomeWarning,
                stacklevel=4,
            )

    def to_anndata(self) -> ad.AnnData:
        """``.X`` the mean, ``layers["std"]`` where there are draws, ``.var`` as here; the scale is in ``uns``."""
        layers = {} if len(self.draws) < 2 else {"std": spread(self.draws)}
        return as_anndata(self.mean, self.obs, self.var, self.scale, self.modality, layers=layers)


def among_measured(draws: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Draws and values of CLR, relative to the mean of what was measured in cells whose panel lacks features."""
    there = ~np.isnan(values)
    n = np.where(there.all(1), np.inf, np.maximum(there.sum(1), 1))[:, None]
    values = values - np.where(there, values, 0).sum(1, keepdims=True) / n
    return draws - np.where(there, draws, 0).sum(-1, keepdims=True) / n, values


def as_anndata(
    mean: np.ndarray, obs: pd.DataFrame, var: pd.DataFrame, scale: str, modality: str, *, layers: dict | None = None
) -> ad.AnnData:
    """Predicted values as users handle them."""
    return ad.AnnData(
        mean,
        obs=obs.copy(),
        var=var.copy(),
        layers=layers or {},
        uns={"multiome": {"scale": scale, "modality": modality}},
    )
