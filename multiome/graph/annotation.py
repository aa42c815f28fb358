"""Where genes lie: a GTF or GFF3 file, a gene table, or a `DataFrame`."""

from __future__ import annotations

import gzip
import io
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TextIO

import pandas as pd

from multiome.errors import InvalidGraph, listed, nearest
from multiome.graph.checks import check_once
from multiome.graph.coordinates import COLUMNS, as_text
from multiome.graph.findings import Findings
from multiome.graph.gtf import read_gtf
from multiome.graph.gtf_line import looks_like_gtf

IDENTIFIERS = ["gene_name", "gene_id"]
GENE_COLUMNS = [*COLUMNS, *IDENTIFIERS, "strand"]


def read_genes(genes: object, findings: Findings) -> pd.DataFrame:
    """A table of genes, 0-based and half-open.

    Parameters
    ----------
    genes
        A `DataFrame`, or the path of a GTF, GFF3, TSV or CSV file, gzipped or not; the content decides which. Tables
        have ``chrom``, ``chromStart``, ``chromEnd`` (0-based, half-open), ``gene_name`` or ``gene_id`` or both, and
        ``strand`` if known.
    findings
        Told where a file may have been cut short.

    Returns
    -------
    Columns chrom, chromStart, chromEnd, gene_name, gene_id, strand; ``""`` and ``"."`` where the table has none.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    InvalidGraph
        If the file ends early, holds no genes, or lacks a column.
    """
    if isinstance(genes, pd.DataFrame):
        return complete(genes, "`genes`")
    if not isinstance(genes, str | os.PathLike):
        raise InvalidGraph(
            f"`genes` must be the path of a GTF, GFF3, TSV or CSV file, or a DataFrame, got {type(genes).__name__}."
        )
    path = Path(genes)
    if not path.is_file():
        raise FileNotFoundError(
            f"There is no file {path}; `genes` must be a GTF or GFF3 file or a gene table, such as GENCODE's "
            "gencode.v44.annotation.gtf.gz."
        )
    with opened(path) as file:
        head = next((line for line in file if line.strip() and not line.startswith("#")), "")
    if not head:
        raise InvalidGraph(f"{path} holds no genes: it is empty, or has comments only.")
    if looks_like_gtf(head):
        return complete(read_gtf(partial(opened, path), str(path), findings), str(path))
    with opened(path) as file:
        separator = "\t" if "\t" in head else ","
        try:
            table = pd.read_csv(file, sep=separator, comment="#", dtype={"chrom": str, "strand": str})
        except pd.errors.ParserError as error:
            raise InvalidGraph(f"{path} is neither GTF or GFF3 nor a table with a header line ({error}).") from error
    return complete(table, str(path))


@contextmanager
def opened(path: Path) -> Iterator[TextIO]:
    """Text of a file, gzipped or not; the first bytes decide, not the name.

    Raises
    ------
    InvalidGraph
        If a gzipped file ends early or is damaged.
    """
    with path.open("rb") as raw:
        zipped = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        try:
            with io.TextIOWrapper(gzip.GzipFile(fileobj=raw) if zipped else raw, encoding="utf-8-sig") as text:
                yield text
        except UnicodeDecodeError as error:
            raise InvalidGraph(
                f"{path} is not text ({error.reason}); `genes` must be a GTF, GFF3, TSV or CSV file, gzipped or not."
            ) from error
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise InvalidGraph(f"{path} is cut short or damaged ({error}); download or copy it again.") from error


def complete(table: pd.DataFrame, source: str) -> pd.DataFrame:
    """The columns of a gene table; what is not known is empty.

    Raises
    ------
    InvalidGraph
        If a needed column is missing, a column occurs twice, or there is no gene.
    """
    check_once(table, GENE_COLUMNS, what=source)
    missing = [name for name in COLUMNS if name not in table.columns]
    if not any(name in table.columns for name in IDENTIFIERS):
        missing.append("gene_name (or gene_id)")
    if missing:
        headless = any(str(name).strip().isdigit() for name in table.columns)
        hint = " Its first line holds data, no names of columns." if headless else nearest(missing[0], table.columns)
        raise InvalidGraph(
            f"{source} lacks the columns {listed(missing)}; it has {listed(table.columns)}.{hint} Coordinates are "
            "0-based and half-open; rename what is there (of a BED file, name the columns), or pass a GTF or GFF3 file."
        )
    if table.empty:
        raise InvalidGraph(f"{source} has columns, but no gene.")
    table = table.reset_index(drop=True)
    for name in IDENTIFIERS:
        table[name] = as_text(table[name]) if name in table.columns else ""
    return table.assign(strand=table.get("strand", "."))[GENE_COLUMNS]
