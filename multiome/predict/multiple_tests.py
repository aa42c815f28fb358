"""Many p-values: false discovery rates, and one p-value for several."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from jaxtyping import Float, Int
from scipy.stats import false_discovery_control

from multiome.errors import MultiomeError, listed


def bh(p: npt.ArrayLike) -> Float[np.ndarray, " test"]:
    """False discovery rates of p-values: the smallest level at which each is found (Benjamini-Hochberg).

    Parameters
    ----------
    p
        One p-value per test; NaN is no test, stays NaN, and does not count.

    Raises
    ------
    MultiomeError
        If a value lies outside [0, 1].

    References
    ----------
    Benjamini and Hochberg, Journal of the Royal Statistical Society B 57, 289 (1995).

    Examples
    --------
    >>> bh([0.01, 0.04, 0.03, float("nan")]).round(3).tolist()
    [0.03, 0.04, 0.04, nan]
    """
    values = check_p(p)
    tested = ~np.isnan(values)
    q = np.full(values.shape, np.nan)
    if tested.any():
        q[tested] = false_discovery_control(values[tested])
    return q


def simes(p: npt.ArrayLike, group: Int[np.ndarray, " test"], n_groups: int) -> Float[np.ndarray, " group"]:
    """One p-value per group: that none of its null hypotheses is false.

    The smallest ``n p_(i) / i`` of the group's n sorted p-values. It holds for independent tests, and for those that
    depend positively, as tests of neighbouring peaks do.

    Parameters
    ----------
    p
        One p-value per test; NaN is no test.
    group
        The group of each test, 0 to ``n_groups`` - 1.
    n_groups
        How many groups there are.

    Returns
    -------
    One p-value per group; NaN for one without tests.

    Raises
    ------
    MultiomeError
        If a value lies outside [0, 1].

    References
    ----------
    Simes, Biometrika 73, 751 (1986).
    """
    values = check_p(p)
    tested = ~np.isnan(values)
    values, group = values[tested], group[tested]
    order = np.lexsort((values, group))
    values, group = values[order], group[order]
    size = np.bincount(group, minlength=n_groups)
    first = np.cumsum(size) - size
    rank = np.arange(len(group)) - first[group] + 1
    combined = np.full(n_groups, np.inf)
    np.minimum.at(combined, group, values * size[group] / rank)
    return np.where(size > 0, combined, np.nan)


def check_p(p: npt.ArrayLike) -> Float[np.ndarray, " test"]:
    """P-values as 64-bit numbers.

    Raises
    ------
    MultiomeError
        If one lies outside [0, 1].
    """
    values = np.asarray(p, dtype=np.float64)
    wrong = (values < 0) | (values > 1)
    if wrong.any():
        raise MultiomeError(
            f"p-values lie between 0 and 1; {wrong.sum():,} of {wrong.size:,} do not (first: "
            f"{listed(values[wrong], most=3)})."
        )
    return values
