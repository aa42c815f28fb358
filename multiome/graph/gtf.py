"""Genes of a GTF or GFF3 file: 1-based, closed coordinates become 0-based, half-open ones."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from multiome.errors import InvalidGraph

N_FIELDS = 9
GENE_KINDS = {"gene", "ncRNA_gene", "pseudogene"}
"""What a whole gene is called: GENCODE and RefSeq say `gene`, Ensembl's GFF3 also the other two."""
ATTRIBUTE = re.compile(r"\s*([^\s;=]+)(?:\s*=\s*|\s+)(\"[^\"]*\"|[^;]*)")
NAME_KEYS, ID_KEYS = ("gene_name", "Name", "gene"), ("gene_id", "ID")


def looks_like_gtf(line: str) -> bool:
    """Nine fields, positions in the fourth and fifth."""
    fields = line.rstrip("\n").split("\t")
    return len(fields) == N_FIELDS and fields[3].isdigit() and fields[4].isdigit()


def read_gtf(lines: Iterable[str], source: str) -> pd.DataFrame:
    """A table of genes, with the columns chrom, chromStart, chromEnd, gene_name, gene_id, strand.

    Where no line is a gene (some files have transcripts and exons only), a gene spans the lines of its ``gene_id`` on
    one chromosome and strand.

    Raises
    ------
    InvalidGraph
        If a line is cut short, or no line says a gene.
    """
    genes: list[list[str]] = []
    parts: dict[tuple[str, str, str], list] = {}
    line, number = "", 0
    for number, line in enumerate(lines, start=1):
        if line.startswith("##FASTA"):  # a GFF3 file may end with its sequences
            break
        if line.startswith("#") or not line.strip():
            continue
        fields = line.rstrip("\r\n").split("\t")
        if len(fields) < N_FIELDS or not (fields[3].isdigit() and fields[4].isdigit()):
            raise InvalidGraph(
                f"{source}, line {number:,}: {len(fields)} of {N_FIELDS} fields, or positions that are no numbers "
                f"({line[:60].rstrip()!r}). The file may be cut short; download or copy it again."
            )
        if int(fields[3]) < 1:
            raise InvalidGraph(
                f"{source}, line {number:,}: a feature starts at {fields[3]}, but positions of GTF and GFF3 count from "
                "1. If the file was made from 0-based starts (BED), add 1 to each."
            )
        if fields[2] in GENE_KINDS:
            genes.append(fields)
        elif not genes and "gene_id" in fields[8]:
            span(parts, fields)
    if line.count('"') % 2 or ('"' in line and line[-1] not in '\n;"'):
        raise InvalidGraph(
            f"{source} ends within a line ({line[-60:]!r}), so genes are missing; download or copy it again."
        )
    rows: list[list[Any]] = [[*row[:8], attributes(row[8])] for row in genes] or list(parts.values())
    if not rows:
        raise InvalidGraph(f"{source} has {number:,} lines, but none is a gene and none has a `gene_id`.")
    start = np.array([row[3] for row in rows], dtype=np.int64)
    return pd.DataFrame(
        {
            "chrom": [row[0] for row in rows],
            "chromStart": start - 1,
            "chromEnd": np.array([row[4] for row in rows], dtype=np.int64),
            "gene_name": [first(row[8], NAME_KEYS) for row in rows],
            "gene_id": [first(row[8], ID_KEYS).removeprefix("gene:") for row in rows],
            "strand": [row[6] if row[6] in "+-" else "." for row in rows],
        }
    )


def span(parts: dict[tuple[str, str, str], list], fields: list[str]) -> None:
    """Widen the gene that a transcript or exon belongs to."""
    found = attributes(fields[8])
    key = (found.get("gene_id", ""), fields[0], fields[6])
    start, end = int(fields[3]), int(fields[4])
    if key in parts:
        parts[key][3:5] = min(parts[key][3], start), max(parts[key][4], end)
    else:
        parts[key] = [*fields[:3], start, end, *fields[5:8], found]


def attributes(text: str) -> dict[str, str]:
    """``gene_id "A"; gene_name "B"`` or ``ID=A;Name=B``; of a key that occurs twice, the first."""
    found: dict[str, str] = {}
    for key, value in ATTRIBUTE.findall(text):
        found.setdefault(key, value.strip().strip('"'))
    return found


def first(found: dict[str, str], keys: tuple[str, ...]) -> str:
    """The value of the first key that is there, or nothing."""
    return next((found[key] for key in keys if found.get(key)), "")
