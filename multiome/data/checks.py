"""What may be trained on: every complaint is raised here, before anything is computed or written."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import pandas as pd
import scipy.sparse as sp

from multiome.errors import (
    InvalidCounts,
    MultiomeError,
    MultiomeWarning,
    SpecMismatch,
    UnknownName,
    is_number,
    listed,
    unknown,
)
from multiome.modalities.registry import recognise
from multiome.modalities.rna import RNA

BLOCK = 1 << 22
"""Values that are tested at once."""
FEW = 20
"""A fit to fewer cells comes with a warning."""
MAX_COUNT = 2**24
"""Above this, float32 does not hold every whole number; no cell has so many counts of one feature."""
MAX_VALUE = 1e15
"""Above this, variances overflow in single precision."""

Test = Callable[[np.ndarray], np.ndarray]


def where(x: sp.csr_matrix, bad: np.ndarray, obs_names: pd.Index, var_names: pd.Index) -> str:
    """``cell 'a', feature 'b'`` of the first bad entry, its value, and how many there are."""
    first = int(np.flatnonzero(bad)[0])
    row = int(np.searchsorted(x.indptr, first, side="right")) - 1
    place = f"cell {obs_names[row]!r}, {var_names[x.indices[first]]!r}"
    return f"{int(bad.sum()):,} values, the first {x.data[first]:g} at {place}"


def check_values(
    key: str,
    x: sp.csr_matrix,
    obs_names: pd.Index,
    var_names: pd.Index,
    *,
    is_count: bool,
    layers: list[str],
    layer: str | None = None,
    has_raw: bool = False,
    advice: str | None = None,
) -> None:
    """Finite; for count likelihoods also non-negative whole numbers.

    ``layer`` is where the values come from, ``has_raw`` whether there are others in ``.raw``, ``advice`` what to do
    about values that are no counts; by default, how to fit on other ones.
    """
    what = repr(key) if layer is None else f"{key!r} (layer {layer!r})"
    bad = flagged(x.data, lambda v: ~np.isfinite(v))
    if bad.any():
        instead = advice or (
            f"Values that are no counts must be finite too; then pass modalities={{{key!r}: ...continuous()}} for a "
            "normal likelihood."
        )
        raise InvalidCounts(
            f"{what} holds NaN or infinite values: {where(x, bad, obs_names, var_names)}. "
            "Remove these cells or features; leave cells that were not measured out of the modality (zeros would count "
            f"as measured). {instead if is_count else 'No likelihood takes them.'}"
        )
    if not is_count:
        bad = flagged(x.data, lambda v: np.abs(v) > MAX_VALUE)
        if bad.any():
            raise InvalidCounts(
                f"{what} holds values above {MAX_VALUE:g}, whose squares single precision cannot hold: "
                f"{where(x, bad, obs_names, var_names)}. Divide them, or take logarithms."
            )
        return
    others = [name for name in layers if name != layer]
    offer = f"There are layers {listed(others)}. " if others else ""
    offer += ".raw may hold the counts: adata = adata.raw.to_adata(). " if has_raw else ""
    tests: dict[str, Test] = {
        "negative": lambda v: v < 0,
        "not whole numbers": lambda v: v != np.round(v),
        f"too large for counts (above {MAX_COUNT:,})": lambda v: v > MAX_COUNT,
    }
    for problem, test in tests.items():
        bad = flagged(x.data, test)
        if bad.any():
            raise InvalidCounts(
                f"{what} must hold raw counts, but some values are {problem}: {where(x, bad, obs_names, var_names)}. "
                + (advice or f"{offer}{how_to_fit(key)}")
            )


def how_to_fit(key: str) -> str:
    """How to fit on values in a layer, or on values that are not counts."""
    kind = recognise(key) or RNA
    return (
        f"Pass raw counts with modalities={{{key!r}: ...with_layer('<layer>')}}, or describe values that are not "
        f"counts by a normal likelihood with modalities={{{key!r}: ...continuous()}} (for example "
        f"mo.{kind.name.upper()}.continuous()). Keys that `modalities` leaves out are not used."
    )


def check_calls(key: str, x: sp.csr_matrix, coverage_layer: str, layer: str | None = None) -> None:
    """Methylated calls must not be fractions."""
    if flagged(x.data, lambda v: (v > 0) & (v < 1)).any() and not flagged(x.data, lambda v: (v < 0) | (v > 1)).any():
        place = ".X" if layer is None else f".layers[{layer!r}]"
        raise InvalidCounts(
            f"{key!r}: {place} holds fractions between 0 and 1, but must count the methylated calls of each site. Get "
            f"them from fractions as numpy.round(fraction * coverage), where coverage is the number of all calls "
            f"(.layers[{coverage_layer!r}])."
        )


def check_share(name: str, value: object) -> None:
    """A number from 0 to 1."""
    if not is_number(value) or not 0 <= value <= 1:
        raise MultiomeError(f"`{name}` must be a number between 0 and 1, got {value!r}.")


def flagged(data: np.ndarray, test: Test) -> np.ndarray:
    """Which values a test complains about; in blocks, so that a large matrix is not copied."""
    bad = np.zeros(len(data), dtype=bool)
    for start in range(0, len(data), BLOCK):
        bad[start : start + BLOCK] = test(data[start : start + BLOCK])
    return bad


def check_coverage(
    key: str, methylated: sp.csr_matrix, coverage: sp.csr_matrix, obs_names: pd.Index, var_names: pd.Index
) -> None:
    """No site has more methylated calls than calls."""
    excess = (methylated - coverage).tocsr()
    bad = excess.data > 0
    if bad.any():
        raise InvalidCounts(
            f"{key!r}: methylated calls exceed the coverage by {where(excess, bad, obs_names, var_names)}. "
            "`.X` must count methylated calls and the coverage layer all calls of the same site."
        )


def empty_cells(key: str, total: np.ndarray, obs_names: pd.Index, *, drop_empty: bool) -> np.ndarray:
    """Which cells have no count at all although they claim the modality; an error unless they may be dropped."""
    empty = total <= 0
    if empty.any() and not drop_empty:
        raise InvalidCounts(
            f"{key!r}: {empty.sum():,} of {len(empty):,} cells have not a single count in the features used (first: "
            f"{listed(obs_names[empty], most=3)}). A cell that was not measured must be absent from the modality, not "
            "zero or NaN in all of it; pass drop_empty=True to treat these cells as not measured."
        )
    return empty


def mention_unseen(key: str, n_unseen: int, n_features: int) -> None:
    """Features that are zero everywhere are kept; say so once."""
    if n_unseen:
        warnings.warn(
            f"{key!r}: {n_unseen:,} of {n_features:,} features are zero in every cell. They are kept and do no harm, "
            "but nothing can be learnt about them.",
            MultiomeWarning,
            stacklevel=5,
        )


def mention_unmeasured(key: str, names: pd.Index, n_features: int) -> None:
    """Features that are NaN everywhere are left out; say which."""
    if len(names):
        warnings.warn(
            f"{key!r}: {len(names):,} of {n_features:,} features are NaN in every cell (first: "
            f"{listed(names, most=3)}): no cell was measured in them. They are left out of the model.",
            MultiomeWarning,
            stacklevel=6,
        )


def mention_few_cells(n_cells: int) -> None:
    """So few cells cannot tell what holds for others."""
    if n_cells < FEW:
        warnings.warn(
            f"There {'is 1 cell' if n_cells == 1 else f'are {n_cells} cells'} to learn from. The model will run, "
            "but what it says of other cells means little.",
            MultiomeWarning,
            stacklevel=3,
        )


def check_layer(key: str, layer: str | None, layers: list[str], *, purpose: str = "") -> None:
    """The layer must exist."""
    if layer is None or layer in layers:
        return
    if layers:
        raise unknown("layer", layer, layers, where=f" of {key!r}{purpose}")
    exists = (
        f"there is none. Store them as adata.layers[{layer!r}]."
        if purpose
        else f"it has no layers, only .X. Store the values as adata.layers[{layer!r}], or leave the layer out for .X."
    )
    raise UnknownName(f"Unknown layer {layer!r} of {key!r}{purpose}; {exists}")


def check_found(
    key: str, n_found: int, names: tuple[str, ...], missing: list[str], min_features: float, *, advice: str = ""
) -> None:
    """Enough of the features that the model was trained on must be there; ``advice`` says how names may differ."""
    if n_found < max(min_features * len(names), 1):
        raise SpecMismatch(
            f"{key!r}: {len(missing):,} of the {len(names):,} features that the model was trained on are absent "
            f"({n_found * 1000 // len(names) / 10:g}% found; first absent: {listed(missing, most=3)}). They would "
            "contribute nothing; check the feature names, or pass "
            f"min_features={n_found * 100 // len(names) / 100:g} to accept that.{advice}"
            if n_found
            else f"{key!r}: none of the {len(names):,} features that the model was trained on is there "
            f"(expected names like {listed(names, most=3)}). Check the feature names.{advice}"
        )
