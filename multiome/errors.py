"""Error types, and the helpers that phrase messages: what was given, what was expected, what exists, what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from numbers import Integral, Real
from typing import TypeGuard, TypeVar

Settings = TypeVar("Settings")

MAX_SEED = 2**32 - 1
"""What every random generator takes, also older ones."""


class MultiomeError(ValueError):
    """Any complaint of this package about what it was given."""


class InvalidCounts(MultiomeError):
    """Values that the chosen likelihood cannot describe."""


class InvalidPairing(MultiomeError):
    """Cells or features whose names do not say which is which."""


class SpecMismatch(MultiomeError):
    """Data that do not fit what the model was trained on."""


class UnknownName(MultiomeError):
    """A modality, layer, covariate, feature or scale that does not exist."""


class InvalidModelFile(MultiomeError):
    """A file that is not a saved model, or only part of one."""


class InvalidGraph(MultiomeError):
    """Prior knowledge that is no guidance graph: an edge twice with two signs, coordinates that do not fit, no edge."""


class TrainingDiverged(MultiomeError):
    """A loss that became NaN or infinite."""


class MultiomeWarning(UserWarning):
    """Something a user should know before trusting the result."""


def listed(names: Iterable[object], *, most: int = 8) -> str:
    """``'a', 'b', 'c' and 9 more``."""
    shown = [str(name) for name in names]
    head = ", ".join(repr(name) for name in shown[:most])
    return f"{head} and {len(shown) - most:,} more" if len(shown) > most else head or "none"


def nearest(name: str, known: Iterable[object]) -> str:
    """A clause that offers the closest existing names, or nothing."""
    close = difflib.get_close_matches(str(name), [str(k) for k in known], n=3, cutoff=0.6)
    return f" Did you mean {' or '.join(repr(c) for c in close)}?" if close else ""


def check_whole(name: str, value: object, *, least: int = 1) -> int:
    """A whole number of any integer type, as `int`.

    Raises
    ------
    MultiomeError
        If it is of another type (`bool` is one), or less than ``least``.
    """
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        wanted = "a positive whole number" if least == 1 else f"a whole number of at least {least}"
        raise MultiomeError(f"`{name}` must be {wanted}, got {value!r}.")
    return int(value)


def check_seed(value: object) -> int:
    """A whole number that every random generator takes.

    Raises
    ------
    MultiomeError
        If it is of another type, negative, or above 2**32 - 1.
    """
    seed = check_whole("seed", value, least=0)
    if seed > MAX_SEED:
        raise MultiomeError(f"`seed` must be a whole number of at most {MAX_SEED:,}, got {value!r}.")
    return seed


def given_or_default(name: str, value: object, wanted: type[Settings]) -> Settings:
    """Settings as a user gives them, or the defaults for None.

    Raises
    ------
    MultiomeError
        If it is something else, such as a dict.
    """
    if value is None:
        return wanted()
    if not isinstance(value, wanted):
        raise MultiomeError(
            f"`{name}` must be a {wanted.__name__}, got {type(value).__name__}; write {name}=mo.{wanted.__name__}(...)."
        )
    return value


def check_flag(name: str, value: object) -> None:
    """True or False: a word such as ``"no"`` would count as True.

    Raises
    ------
    MultiomeError
        If it is something else.
    """
    if not isinstance(value, bool):
        raise MultiomeError(f"`{name}` must be True or False, got {value!r}.")


def check_probability(name: str, value: object) -> None:
    """A number in [0, 1).

    Raises
    ------
    MultiomeError
        If it is something else.
    """
    if not is_number(value) or not 0 <= value < 1:
        raise MultiomeError(f"`{name}` must be a number in [0, 1), got {value!r}.")


def keep_whole(record: object, *names: str) -> None:
    """Fields of a frozen record that are positive whole numbers, kept as `int`: files and Lightning mind NumPy's.

    Raises
    ------
    MultiomeError
        If one is something else.
    """
    for name in names:
        object.__setattr__(record, name, check_whole(name, getattr(record, name)))


def is_number(value: object) -> TypeGuard[float]:
    """Whether something is a real number (`bool` is not)."""
    return isinstance(value, Real) and not isinstance(value, bool)


def unknown(what: str, name: object, known: Sequence[object], *, where: str = "") -> UnknownName:
    """The error for a name that does not exist, with what does."""
    return UnknownName(f"Unknown {what} {name!r}{where}; there is {listed(known)}.{nearest(str(name), known)}")
