"""Central intervals of draws, and how many draws they need."""

from __future__ import annotations

import numpy as np

from multiome.errors import MultiomeError, is_number


def spread(draws: np.ndarray) -> np.ndarray:
    """Standard deviation of two draws or more."""
    return draws.std(0, ddof=1)


def central(draws: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Both ends of the central interval of draws."""
    check_draws(level, len(draws))
    lower, upper = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return lower.astype(np.float32), upper.astype(np.float32)


def check_draws(level: float, n_draws: int, *, name: str = "level") -> None:
    """There are enough draws to see the tails of an interval.

    Raises
    ------
    MultiomeError
        If there are too few, or ``level`` is not a number between 0 and 1.
    """
    needed = draws_needed(level, name=name)
    if n_draws < needed:
        raise MultiomeError(
            f"A {100 * level:.15g}% interval needs at least {needed} draws, there are {n_draws}; "
            f"predict with n_samples={needed} or more."
        )


def draws_needed(level: float, *, name: str = "level") -> int:
    """The fewest draws of which two lie, on average, outside the central interval of probability ``level``.

    Raises
    ------
    MultiomeError
        If ``level`` is not a number between 0 and 1.
    """
    if not is_number(level) or not 0 < level < 1:
        raise MultiomeError(f"`{name}` must be a number between 0 and 1, such as 0.9, got {level!r}.")
    return int(np.ceil(2 / (1 - level) - 1e-9))
