"""Which row of an annotation is which gene of the data."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from multiome.graph.coordinates import as_text, plain_chromosomes

VERSION = r"^(ENS\w*?\d{6,})\.\d+"
VAR_IDS, VAR_NAMES = ("gene_id", "gene_ids"), ("gene_name", "gene_names", "gene_symbols")


@dataclass(frozen=True)
class GeneMatch:
    """Rows of an annotation for the genes of the data."""

    row: np.ndarray
    """Per gene, its row in the annotation, or -1."""
    n_by_id: int
    """Genes that were found by their identifier."""
    n_several: int
    """Genes whose name or identifier stands in several rows, of which one was taken."""


def match_genes(var: pd.DataFrame, annotation: pd.DataFrame) -> GeneMatch:
    """Find each gene by identifier (a column ``gene_id`` of ``var``, or its name), else by name.

    Versions of Ensembl identifiers (``ENSG00000010610.10``) are ignored where the exact one is not there. Of several
    rows the one on a primary chromosome is taken, then the longest, then the first by chromosome, start and identifier.
    """
    ranked = rank(annotation)
    ids, symbols = ranked["gene_id"], ranked["gene_name"]
    own_ids = next((var[name] for name in VAR_IDS if name in var.columns), None)
    own_names = next((var[name] for name in VAR_NAMES if name in var.columns), None)
    names = pd.Series(var.index.astype(str))
    row, by_id, several = np.full(len(var), -1), np.zeros(len(var), bool), np.zeros(len(var), bool)
    for wanted, known, is_id in (
        (own_ids, ids, True),
        (names, ids, True),
        (names, symbols, False),
        (own_names, symbols, False),
    ):
        for shorten in (False, True) if is_id else (False,):
            left = row < 0
            if wanted is None or not left.any():
                continue
            keys, query = (unversioned(s) if shorten else s for s in (known, as_text(wanted)))
            found, again = look_up(query.to_numpy()[left], keys)
            row[left] = found
            by_id[left] = is_id & (found >= 0)
            several[left] = again
    return GeneMatch(row, int(by_id.sum()), int((several & (row >= 0)).sum()))


def rank(annotation: pd.DataFrame) -> pd.DataFrame:
    """Rows from the first choice to the last; the index says where each stood."""
    chrom = plain_chromosomes(annotation["chrom"])
    order = pd.DataFrame(
        {
            "aside": (chrom == "") | pd.Series(chrom, annotation.index).str.contains(r"[_.]"),  # no place, or a patch
            "short": -(annotation["chromEnd"] - annotation["chromStart"]),
            "chrom": chrom,
            "start": annotation["chromStart"],
            "id": annotation["gene_id"],
        }
    )
    return annotation.loc[order.sort_values(list(order.columns), kind="stable").index]


def look_up(query: np.ndarray, keys: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """Row of the first equal key, or -1, and whether further keys are equal."""
    keys = keys[keys != ""]
    once = keys[~keys.duplicated()]
    found = pd.Index(once).get_indexer(query)
    row = np.where(found >= 0, once.index.to_numpy()[found] if len(once) else -1, -1)
    return row, np.isin(query, keys[keys.duplicated()].unique())


def unversioned(names: pd.Series) -> pd.Series:
    """``ENSG00000010610.10`` without ``.10``."""
    return names.str.replace(VERSION, r"\1", regex=True)
