"""Genes of a GTF or GFF3 file: 1-based, closed coordinates become 0-based, half-open ones."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, TextIO

import numpy as np
import pandas as pd

from multiome.errors import InvalidGraph
from multiome.graph.findings import Findings
from multiome.graph.gtf_end import check_end
from multiome.graph.gtf_line import N_FIELDS, attributes, first

GENE_KINDS = {"gene", "ncRNA_gene", "pseudogene"}
"""What a whole gene is called: GENCODE and RefSeq say `gene`, Ensembl's GFF3 also the other two."""
NAME_KEYS, ID_KEYS = ("gene_name", "Name", "gene"), ("gene_id", "ID")


def read_gtf(opened: Callable[[], AbstractContextManager[TextIO]], source: str, findings: Findings) -> pd.DataFrame:
    """A table of genes, with the columns chrom, chromStart, chromEnd, gene_name, gene_id, strand.

    Where no line is a gene (some files have transcripts and exons only), a gene spans the lines of its ``gene_id`` on
    one chromosome and strand. A file that ends without a newline is a finding.

    Raises
    ------
    InvalidGraph
        If a line is cut short, or no line says a gene.
    """
    genes: list[list[str]] = []
    parts: dict[tuple[str, str, str], list] = {}
    line, number = "", 0
    with opened() as file:
        for number, line in enumerate(file, start=1):
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
                    f"{source}, line {number:,}: a feature starts at {fields[3]}, but positions of GTF and GFF3 count "
                    "from 1. If the file was made from 0-based starts (BED), add 1 to each."
                )
            if fields[2] in GENE_KINDS:
                genes.append(fields)
            elif not genes and "gene_id" in fields[8]:
                span(parts, fields)
    with opened() as again:
        check_end(line, again, source, findings)
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
