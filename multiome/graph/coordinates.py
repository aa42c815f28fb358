"""Where features lie: 0-based, half-open coordinates from columns or from names, checked.

A table of places has the columns ``chrom`` (without ``chr``; ``""`` where a place is not known), ``start``, ``end``
(int64), ``strand`` (``+``, ``-`` or ``.``) and ``written`` (the chromosome as it was spelt), one row per feature.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pandas as pd

from multiome.errors import InvalidGraph, listed
from multiome.graph.findings import Findings, share

COLUMNS = ["chrom", "chromStart", "chromEnd"]
ALIASES = {
    "chrom": ("chrom", "chr", "chromosome", "seqname", "seqnames", "seqid"),
    "chromStart": ("chromstart", "start", "chrom_start", "start_position"),
    "chromEnd": ("chromend", "end", "stop", "chrom_end", "end_position"),
}
"""What the columns of coordinates are called elsewhere, in lower case."""
NAME = re.compile(r"^(?P<chrom>[^\s:]+?)[:_-](?P<start>\d+)[_-](?P<end>\d+)$")
MOST_DIGITS = 11
"""Of a position: no chromosome is so long."""
MISSING = {"", "nan", "none", "na", "<na>", "."}
STRAND_OF = {"+": "+", "1": "+", "+1": "+", "-": "-", "-1": "-"} | dict.fromkeys([*MISSING, "*", "0"], ".")


def column_hint(columns: pd.Index) -> str:
    """A sentence that offers the columns of coordinates under other names, or nothing."""
    same = {name: found for name, others in ALIASES.items() for found in columns if str(found).lower() in others}
    if len(same) < len(COLUMNS):
        return ""
    renamed = {found: name for name, found in same.items() if found != name}
    return f" If they are 0-based and half-open, rename them: `.var.rename(columns={renamed})`."


def plain_chromosomes(names: pd.Series | pd.Index) -> np.ndarray:
    """Chromosomes in one spelling: ``chr1`` and ``1`` are ``1``, ``chrM`` and ``MT`` are ``M``; ``""`` if missing."""
    return _each(names, _plain)


def written_chromosomes(names: pd.Series | pd.Index) -> np.ndarray:
    """Chromosomes as they are spelt; whole numbers without ``.0``."""
    return _each(names, _written)


def as_text(column: pd.Series) -> pd.Series:
    """Values as text, ``""`` where one is missing; also of a categorical column."""
    return column.astype(str).where(column.notna(), "")


def _each(names: pd.Series | pd.Index, change: Callable[[object], str]) -> np.ndarray:
    codes, unique = pd.factorize(pd.Series(names).astype(object))
    changed = np.array([*(change(name) for name in unique), ""], dtype=object)
    return changed[codes]  # the code of a missing name is -1


def _written(name: object) -> str:
    return re.sub(r"^(\d+)\.0$", r"\1", str(name).strip())  # numbers beside a missing one were read as floats


def _plain(name: object) -> str:
    bare = re.sub(r"^chr", "", _written(name), flags=re.IGNORECASE)
    if bare.lower() in MISSING:
        return ""
    return {"MT": "M", "M": "M", "X": "X", "Y": "Y"}.get(bare.upper(), bare)


def places_in_names(names: pd.Index) -> pd.DataFrame:
    """``chr1:100-200``, ``chr1-100-200`` and ``chr1_100_200`` as places; others are not known.

    Raises
    ------
    InvalidGraph
        If one ends where it starts, or before.
    """
    found = pd.Series(names.astype(str)).str.extract(NAME)
    known = found["chrom"].notna().to_numpy()
    beyond = known & (found[["start", "end"]].apply(lambda digits: digits.str.len()) > MOST_DIGITS).any(axis=1)
    if beyond.any():
        raise InvalidGraph(
            f"The names of {share(beyond.sum(), len(names))} are intervals beyond any chromosome (first: "
            f"{listed(names[beyond], most=3)}). Correct them, or give coordinates in columns {', '.join(COLUMNS)}."
        )
    chrom = np.where(known, plain_chromosomes(found["chrom"]), "")
    start, end = (pd.to_numeric(found[name]).fillna(-1).to_numpy(np.int64) for name in ("start", "end"))
    wrong = known & (start >= end)
    if wrong.any():
        raise InvalidGraph(
            f"The names of {share(wrong.sum(), len(names))} are intervals that end where they start, or before (first: "
            f"{listed(names[wrong], most=3)}). Correct them, or give coordinates in columns "
            f"{', '.join(COLUMNS)}."
        )
    written = found["chrom"].fillna("").to_numpy(object)
    return pd.DataFrame({"chrom": chrom, "start": start, "end": end, "strand": ".", "written": written})


def places_in_columns(table: pd.DataFrame, *, what: str, findings: Findings) -> pd.DataFrame:
    """Places of the columns chrom, chromStart, chromEnd and, if there, strand; missing ones are not known.

    Missing is an empty or NaN ``chrom``, or NaN or -1 for a position. Features without length are taken for one base.

    Raises
    ------
    InvalidGraph
        If a position is no whole number, negative, or a start lies beyond its end, or a strand is none.
    """
    name = table.index.to_numpy()
    chrom = plain_chromosomes(table["chrom"])
    start, end = (_positions(table[column], chrom != "", what=what) for column in COLUMNS[1:])
    known = (chrom != "") & (start != -1) & (end != -1)
    wrong = known & ((start < 0) | (end < 0))
    if wrong.any():
        raise InvalidGraph(f"{what}: {wrong.sum():,} positions are negative (first: {listed(name[wrong], most=3)}).")
    wrong = known & (start > end)
    if wrong.any():
        raise InvalidGraph(
            f"{what}: chromStart lies beyond chromEnd in {share(wrong.sum(), known.sum())} (first: "
            f"{listed(name[wrong], most=3)}). If the two columns are swapped, swap them back; else correct or "
            "leave out those rows."
        )
    flat = known & (start == end)
    if flat.any():
        findings.warn(
            f"{what}: {share(flat.sum(), known.sum())} have no length (chromStart equals chromEnd, first: "
            f"{listed(name[flat], most=3)}) and were taken for the one base at chromStart. Coordinates are 0-based and "
            "half-open; if yours are 1-based, subtract 1 from chromStart."
        )
    strand = _strands(table["strand"], what=what) if "strand" in table.columns else np.full(len(table), ".", object)
    places = {"chrom": chrom, "start": start, "end": np.where(flat, end + 1, end)}
    lost = pd.DataFrame({"chrom": "", "start": -1, "end": -1}, index=range(len(table)))
    return (
        pd.DataFrame(places)
        .where(pd.Series(known), lost)
        .astype({"start": np.int64, "end": np.int64})
        .assign(strand=strand, written=written_chromosomes(table["chrom"]))
    )


def _positions(column: pd.Series, needed: np.ndarray, *, what: str) -> np.ndarray:
    """Whole numbers; -1 where one is missing."""
    given = column.astype(object).where(~column.isin([""]), np.nan)
    values = pd.to_numeric(given, errors="coerce").astype(float).to_numpy()
    wrong = needed & (given.notna().to_numpy() & ~np.isfinite(values))
    if wrong.any():
        raise InvalidGraph(f"{what}: `{column.name}` holds {listed(column[wrong], most=3)}, which are no positions.")
    wrong = needed & np.isfinite(values) & (values != np.floor(values))
    if wrong.any():
        raise InvalidGraph(
            f"{what}: `{column.name}` must hold whole numbers; {wrong.sum():,} of {len(values):,} are not (first: "
            f"{listed(column[wrong], most=3)})."
        )
    beyond = needed & np.isfinite(values) & (np.abs(values) >= 10.0**MOST_DIGITS)
    if beyond.any():
        raise InvalidGraph(
            f"{what}: `{column.name}` holds positions beyond any chromosome ({listed(column[beyond], most=3)})."
        )
    return np.where(np.isfinite(values), values, -1).astype(np.int64)


def _strands(column: pd.Series, *, what: str) -> np.ndarray:
    codes, unique = pd.factorize(column.astype(object))
    known = [STRAND_OF.get(_strand_word(value)) for value in unique]
    if None in known:
        other = [value for value, strand in zip(unique, known, strict=True) if strand is None]
        raise InvalidGraph(f"{what}: `strand` must be '+', '-' or '.' (not known), got {listed(other, most=3)}.")
    return np.array([*known, "."], dtype=object)[codes]


def _strand_word(value: object) -> str:
    return re.sub(r"\.0$", "", str(value).strip()).lower()


def any_strand(table: pd.DataFrame) -> bool:
    """Whether a table says of any feature that it is on ``+`` or ``-``."""
    if "strand" not in table.columns:
        return False
    return any(STRAND_OF.get(_strand_word(value)) in ("+", "-") for value in table["strand"].unique())


def compare_names(places: pd.DataFrame, names: pd.Index, *, what: str, findings: Findings) -> None:
    """Warn where names such as ``chr1:100-200`` say other places than the columns do."""
    named = places_in_names(names)
    both = (named["chrom"] == places["chrom"]) & (places["chrom"] != "")
    apart = (named[["start", "end"]] - places[["start", "end"]])[both].abs().max(axis=1)
    by_one, further = int((apart == 1).sum()), int((apart > 1).sum())
    if by_one:
        first = int(apart.index[apart == 1][0])
        row = places.iloc[first]
        findings.warn(
            f"{what}: the names of {share(by_one, both.sum())} differ by one base from chromStart or chromEnd "
            f"({str(names[first])!r}, but {row['start']}-{row['end']}). One of the two may be 1-based; the "
            "columns were used, as 0-based and half-open."
        )
    if further:
        message = f"{what}: the names of {share(further, both.sum())} differ from the columns, which were used."
        if 2 * further > both.sum():
            findings.warn(f"{message} Were the columns lifted over from another genome build, or sorted by themselves?")
        else:
            findings.say(message)
