"""Links as the files that genome browsers draw: BEDPE, UCSC's interact, and longrange.

All three are tab-separated text with 0-based, half-open intervals; a name ending in ``.gz`` is written gzipped.
"""

from __future__ import annotations

import gzip
import os
import re
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import pandas as pd

from multiome.errors import MultiomeError, unknown
from multiome.files import check_output, draft
from multiome.graph.vertex_places import NOWHERE

BEDPE = ["chrom1", "start1", "end1", "chrom2", "start2", "end2", "name", "score", "strand1", "strand2"]
STATED = {"evidence": "score", "p": "p", "q": "q", "distance": "distance", "weight": "weight", "sign": "sign"}
"""Further columns of BEDPE, and the columns of links that they are."""
INTERACT = [
    "chrom", "chromStart", "chromEnd", "name", "score", "value", "exp", "color",
    "sourceChrom", "sourceStart", "sourceEnd", "sourceName", "sourceStrand",
    "targetChrom", "targetStart", "targetEnd", "targetName", "targetStrand",
]  # fmt: skip
FORMS = ("interact", "longrange")
TOGETHER, OPPOSED = "0,114,178", "213,94,0"
"""Colours of links whose score is positive (blue) and negative (orange), told apart by the colour-blind too."""
FULL_SCORE = 1_000
"""The score of the strongest link in BED files."""
Column: TypeAlias = Sequence | np.ndarray | pd.Series
UNPREFIXED = re.compile(r"(\d+[LR]?|[XYZW]|MT?|[IVX]+)")
"""Chromosomes that UCSC calls the same with ``chr`` in front (and MT chrM)."""


def bedpe(ends: pd.DataFrame) -> list[str]:
    """A header and one line per link: gene, peak, name, score of 0 to 1,000, strands; and further columns."""
    columns = [ends[f"{end}_{name}"] for end in ("source", "target") for name in ("chrom", "start", "end")]
    columns += [pair_names(ends), bed_score(ends["score"]), ends["source_strand"], ends["target_strand"]]
    columns += [ends[name] for name in STATED.values()]
    order = sorted_rows(ends["source_chrom"], ends["source_start"], ends["target_chrom"], ends["target_start"])
    return ["#" + "\t".join([*BEDPE, *STATED]), *lines(columns, order)]


def interact(ends: pd.DataFrame, modalities: Sequence[str]) -> list[str]:
    """UCSC's track line, a header, and one line per link from the peak to the gene; between chromosomes one per end."""
    what = " and ".join(modalities).replace('"', "'")
    track = (
        f'track type=interact name="{what}" description="Links of {what}" maxHeightPixels=200:100:50 visibility=full'
    )
    gene, peak = one_end(ends, "source"), one_end(ends, "target")
    within = (gene["chrom"] == peak["chrom"]).to_numpy()
    low, high = np.minimum(peak["start"], gene["start"]), np.maximum(peak["end"], gene["end"])
    whole = peak.assign(start=peak["start"].where(~within, low), end=peak["end"].where(~within, high))
    span = pd.concat([whole, gene[~within]])  # their rows are numbered as the links are
    score = ends["score"].fillna(0)
    about = [pair_names(ends), bed_score(score), score, ["."] * len(ends), np.where(score < 0, OPPOSED, TOGETHER)]
    about += [end[name] for end in (peak, gene) for name in ("chrom", "start", "end", "name", "strand")]
    columns = [span["chrom"], span["start"], span["end"], *(np.asarray(column)[span.index] for column in about)]
    return [track, "#" + "\t".join(INTERACT), *lines(columns, sorted_rows(*columns[:3]))]


def longrange(ends: pd.DataFrame) -> list[str]:
    """Two lines per link, one from either end: interval, the other interval and the score, number, no direction."""
    gene, peak = one_end(ends, "source"), one_end(ends, "target")
    score = pd.Series(text(ends["score"].fillna(0)), dtype=object)
    this, other = pd.concat([gene, peak]), pd.concat([peak, gene])
    interval = other["chrom"] + ":" + other["start"].astype(str) + "-" + other["end"].astype(str)
    columns = [this["chrom"], this["start"], this["end"], interval + "," + score[this.index]]
    order = sorted_rows(*columns)
    return lines([*(column.to_numpy()[order] for column in columns), np.arange(1, len(order) + 1), ["."] * len(order)])


def one_end(ends: pd.DataFrame, which: str) -> pd.DataFrame:
    """Place, with the chromosome as UCSC calls it, and name of one end of each link; a fresh row number."""
    end = pd.DataFrame({name: ends[f"{which}_{name}"].to_numpy() for name in NOWHERE})
    return end.assign(chrom=ucsc_names(end["chrom"]), name=plain(ends[which]).to_numpy())


def chosen_form(path: str | os.PathLike, form: str | None) -> str:
    """``"interact"`` or ``"longrange"``: what was asked for, or what the name of the file ends in.

    Raises
    ------
    UnknownName, MultiomeError
        If there is no such form; if neither says which.
    """
    if form is not None:
        if form not in FORMS:
            raise unknown("form", form, FORMS)
        return form
    name = os.fspath(path).removesuffix(".gz")
    found = [form for form in FORMS if name.endswith(f".{form}")]
    if not found:
        raise MultiomeError(
            f"The name of {os.fspath(path)!r} does not say which format it has; let it end in .interact (UCSC) or "
            '.longrange (WashU), or pass form="interact" or form="longrange".'
        )
    return found[0]


def write_lines(path: str | os.PathLike, content: Sequence[str], *, overwrite: bool) -> None:
    """Write text, whole or not at all.

    Raises
    ------
    FileExistsError, FileNotFoundError
        If something is there and ``overwrite`` is False; if the folder does not exist.
    """
    target = check_output(path, overwrite=overwrite)
    data = "".join(f"{line}\n" for line in content).encode()
    with draft(target) as beside:
        beside.write_bytes(gzip.compress(data, mtime=0) if target.suffix == ".gz" else data)


def bed_score(score: pd.Series) -> np.ndarray:
    """Sizes of scores as whole numbers of 0 to 1,000, the largest of these links 1,000; 0 where it is not known."""
    size = np.nan_to_num(np.abs(score.to_numpy(np.float64)))
    return np.round(size * (FULL_SCORE / size.max(initial=0) if size.any() else 0)).astype(np.int64)


def ucsc_names(chrom: pd.Series) -> pd.Series:
    """Chromosomes as UCSC and WashU call them: ``1`` is ``chr1``, ``MT`` is ``chrM``; names of other kinds stay."""
    names = {name: name for name in chrom.unique()}
    names |= {name: f"chr{'M' if name == 'MT' else name}" for name in names if UNPREFIXED.fullmatch(name)}
    return chrom.map(names).astype(object)


def pair_names(ends: pd.DataFrame) -> pd.Series:
    """``gene/peak``."""
    return plain(ends["source"]) + "/" + plain(ends["target"])


def plain(names: pd.Series) -> pd.Series:
    """Names without blanks, which would end a field."""
    return names.astype(str).str.replace(r"\s", "_", regex=True)


def text(column: Column) -> list[str]:
    """Values as text: numbers with six digits, ``.`` where there is none."""
    values = np.asarray(column)
    if values.dtype.kind == "f":
        return ["." if value == "nan" else value for value in map("{:.6g}".format, values.tolist())]
    return [str(value) for value in values.tolist()]


def sorted_rows(*columns: Column) -> np.ndarray:
    """Rows in the order of the first column, ties by the next; chromosomes as text, as `sort` and tabix want them."""
    keys = [
        column if np.asarray(column).dtype.kind in "iu" else pd.factorize(np.asarray(column), sort=True)[0]
        for column in columns
    ]
    return np.lexsort(keys[::-1])


def lines(columns: Sequence[Column], order: np.ndarray | None = None) -> list[str]:
    """Rows of columns as tab-separated text."""
    rows = ["\t".join(row) for row in zip(*(text(column) for column in columns), strict=True)]
    return rows if order is None else [rows[i] for i in order]
