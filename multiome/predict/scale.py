"""The scales a prediction can be on: expectations of the transformed value, draws, and the same of observed counts."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from multiome.data.panels import filled
from multiome.errors import MultiomeError, unknown
from multiome.metrics.validation import Matrix, dense
from multiome.train.registered import watch

SCALES: dict[str, tuple[str, ...]] = {
    "rna": ("counts", "log_cp10k"),
    "atac": ("counts", "probability"),
    "protein": ("counts", "clr", "foreground", "background_removed"),
    "methylation": ("fraction",),
}
"""What each kind of modality can be predicted on; the first is the default."""
watch("scales", SCALES)
CONTINUOUS = ("values",)
"""The one scale of a modality with a normal likelihood: as it was given."""
AS_GIVEN = ("counts", *CONTINUOUS)
"""Scales of the values themselves."""

COMPARED = ("log_cp10k", "clr", "probability", "fraction")
"""Scales that compare cells of different depth, and are of values that can be measured."""
UNSEEN_SCALES = ("foreground", "background_removed")
"""Scales that no measurement shows: it does not say which counts are background."""
WHOLE_CELL = ("clr",)
"""Scales on which a feature's value depends on all other features of the cell."""


def check_scale(scale: str | None, kind: str, *, is_count: bool, key: str) -> str:
    """The scale to use.

    Raises
    ------
    UnknownName
        If this kind of modality cannot be predicted on that scale.
    MultiomeError
        If nothing computes a scale that was added.
    """
    known = SCALES[kind] if is_count else CONTINUOUS
    scale = known[0] if scale is None else scale
    if not isinstance(scale, str) or scale not in known:
        raise unknown("scale", scale, known, where=f" for {key!r}")
    if scale not in (*AS_GIVEN, *COMPARED, *UNSEEN_SCALES):
        raise MultiomeError(
            f"The scale {scale!r} of {key!r} was added to `SCALES`, but nothing says how it is computed; add its "
            "expectation and its draw to multiome/predict/scale.py."
        )
    return scale


def compared_on(kind: str, *, is_count: bool) -> str:
    """The scale on which predicted and measured values of a kind of modality are compared."""
    known = SCALES[kind] if is_count else CONTINUOUS
    return next((scale for scale in COMPARED if scale in known), known[0])


def expectation(p: Any, scale: str, total: Tensor) -> Tensor:
    """The expected transformed value (cell x feature); ``total`` is each cell's total count (cell x 1)."""
    match scale:
        case "log_cp10k":
            return p.expected_log1p(1e4 / total)
        case "clr":
            logged = p.expected_log1p(torch.ones_like(total))
            return logged - logged.mean(-1, keepdim=True)
        case "probability":
            return presence(p)
        case "foreground":
            return p.foreground
        case "background_removed":
            return p.foreground * p.components[1].mean
        case "fraction":
            return p.fraction
        case _:
            return p.mean


def presence(p: Any) -> Tensor:
    """``P(x > 0)``; a likelihood need not say it, but saves work where it does."""
    told = getattr(p, "presence", None)
    return -torch.expm1(p.log_prob(torch.zeros_like(p.mean))) if told is None else told


def draw(p: Any, scale: str, total: Tensor) -> Tensor:
    """One draw of the transformed value (cell x feature)."""
    match scale:
        case "log_cp10k":
            return torch.log1p(p.sample() * 1e4 / total)
        case "clr":
            logged = torch.log1p(p.sample())
            return logged - logged.mean(-1, keepdim=True)
        case "probability":
            return (p.sample() > 0).float()
        case "foreground":
            return torch.bernoulli(p.foreground)
        case "background_removed":
            return torch.bernoulli(p.foreground) * p.components[1].sample()
        case "fraction":
            a, b = p.fraction * p.concentration, (1 - p.fraction) * p.concentration
            return torch.distributions.Beta(a.clamp_min(1e-4), b.clamp_min(1e-4)).sample()
        case _:
            return p.sample()


def transform_observed(
    values: sp.csr_matrix, scale: str, total: Float[np.ndarray, " cell"], known: np.ndarray | None = None
) -> np.ndarray:
    """Observed counts (cells x all features of the model) on the scale of a prediction; NaN where not ``known``.

    ``total`` is each cell's total count, also of features that only count towards it.
    """
    # methylated calls stay calls: their coverage is compared with elsewhere
    y = values.toarray() if scale == "fraction" else dense(on_scale(values, total, None, scale, known))
    return y if known is None else np.where(known, y, np.nan)


def on_scale(
    values: sp.csr_matrix,
    depth: np.ndarray,
    calls: sp.csr_matrix | None,
    scale: str,
    known: Bool[np.ndarray, "cell feature"] | None = None,
) -> Matrix:
    """Measured values on the scale; sparse where its zeros are those of the counts.

    Where a panel lacks features (not ``known``), CLR has what is usual there, and is relative to the mean of all: it is
    comparable between panels.
    """
    match scale:
        case "log_cp10k":
            y = sp.csr_array(sp.diags_array(1e4 / np.maximum(depth, 1)) @ values)
            y.data = np.log1p(y.data)
            return y
        case "probability":
            return sp.csr_array((values.data > 0, values.indices, values.indptr), shape=values.shape, dtype=np.float64)
        case "clr":
            logged = np.log1p(values.toarray())
            if known is not None:
                return filled(logged, known, relative=True)
            return logged - logged.mean(1, keepdims=True)
        case "fraction":
            assert calls is not None
            return values.toarray() / np.maximum(calls.toarray(), 1)
        case _:
            return values.toarray()
