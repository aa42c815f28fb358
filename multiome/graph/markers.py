"""Which gene encodes the surface protein that an antibody binds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from multiome.errors import InvalidPairing, MultiomeError, listed
from multiome.graph.checks import check_once
from multiome.graph.marker_report import MarkerMatch, marker_notes, nothing_found, table_notes
from multiome.graph.protein_names import antigens, kind, simplified

TABLE = Path(__file__).with_name("markers.tsv")
Entries = Mapping[str, tuple[str, ...]]


def marker_edges(
    genes: Sequence[str], proteins: Sequence[str], *, table: pd.DataFrame | None = None
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Edges from genes to the surface proteins that they encode, and what a report should say about them.

    A protein is looked for in ``table``, then among the antibodies that this package knows, then among the genes; the
    first that knows it decides. Names are compared without case, separators, Greek letters and what panels write
    around an antigen: ``ADT_CD3 (UCHT1)_A0034`` is CD3. Symbols are those of mouse where most gene names have
    lower-case letters (``Cd3d``), else of human. A complex has the genes of its parts; an antigen that is a sugar has
    that of the enzyme that makes it (CD15, CD57, CD77).

    Parameters
    ----------
    genes
        Gene symbols.
    proteins
        Names of antibodies, as they are in the data.
    table
        Columns ``protein`` and ``gene``, one pair per row. It goes before what the package knows, also for controls.

    Returns
    -------
    Edges, sorted, with columns ``source`` (gene) and ``target`` (protein) as they were given, ``weight`` (float32, 1
    for each) and ``sign`` (int8, +1); and sentences: how many proteins were found and by what, which were not, which
    were left out on purpose, which names stand for several antigens.

    Raises
    ------
    MultiomeError
        If there are no genes or proteins, if names are not strings, or if ``table`` lacks columns or values.
    InvalidPairing
        If names occur more than once.
    UnknownName
        If no protein has a gene.
    """
    genes, proteins = check_names("genes", genes), check_names("proteins", proteins)
    own = check_table(table)
    own_read = _grouped((simplified(name), gene) for name, symbols in own.items() for gene in symbols)
    known = curated("mouse" if sum(gene != gene.upper() for gene in genes) * 2 > len(genes) else "human")
    named = _grouped((short, gene) for gene in genes if (short := simplified(gene)))
    matches = {protein: look_up(protein, own, own_read, known, named) for protein in proteins}

    folded = _grouped((gene.lower(), gene) for gene in genes)
    spelling = {gene: same[0] for gene in _symbols(matches, own) if (same := folded.get(gene.lower()))}
    spelling |= {gene: gene for gene in genes}  # a symbol that is given exactly so is itself
    pairs = {
        (protein, spelling[gene]) for protein, match in matches.items() for gene in match.symbols if gene in spelling
    }
    found = sorted({protein for protein, _ in pairs})
    notes = marker_notes(matches, found) + table_notes(own, matches, spelling)
    if not pairs:
        raise nothing_found(genes, proteins, notes)
    edges = pd.DataFrame(sorted(pairs), columns=["target", "source"])[["source", "target"]]
    return edges.assign(weight=np.float32(1), sign=np.int8(1)), notes


def look_up(protein: str, own: Entries, own_read: Entries, known: Entries, named: Entries) -> MarkerMatch:
    """What knows a protein first: a user's table (exactly, then read), the known antibodies, the names of genes."""
    if protein in own:
        return MarkerMatch("table", (protein,), own[protein])
    for found in antigens(protein, own_read):
        if found:
            return MarkerMatch("table", found[:1], own_read[found[0]])
    if (reason := kind(protein)) != "antigen":
        return MarkerMatch(reason)
    whole = simplified(protein)
    is_gene = whole in named and whole not in known  # H2-Q7 is a gene before it is an H-2
    if not is_gene and (found := _narrowest(*antigens(protein, known), known)):
        return MarkerMatch("curated", found, tuple(dict.fromkeys(gene for antigen in found for gene in known[antigen])))
    for found in antigens(protein, named):
        if found and (len(found[0]) > 2 or found[0] == whole):  # two letters of a name may mean anything
            same = named[found[0]]
            return MarkerMatch("gene", found[:1], (protein if protein in same else same[0],))
    return MarkerMatch("unknown")


@cache
def curated(species: str) -> Entries:
    """The antibodies this package knows: symbols of human or mouse genes, by simplified name of the antigen."""
    rows = pd.read_csv(TABLE, sep="\t", keep_default_na=False, dtype=str)
    entries: dict[str, tuple[str, ...]] = {}
    for aliases, joined in zip(rows["alias"], rows[f"genes_{species}"], strict=True):
        entries |= {simplified(alias): tuple(joined.split(";")) for alias in aliases.split(";") if joined}
    symbols = (symbol for found in tuple(entries.values()) for symbol in found)
    return {simplified(symbol): (symbol,) for symbol in symbols} | entries


def check_names(argument: str, names: Iterable[object]) -> list[str]:
    """The names as a list.

    Raises
    ------
    MultiomeError
        If there are none, or if one is not a string.
    InvalidPairing
        If one occurs more than once.
    """
    found = [names] if isinstance(names, str) else list(names)
    if isinstance(names, str) or not all(isinstance(name, str) for name in found):
        wrong = next((name for name in found if not isinstance(name, str)), names)
        raise MultiomeError(f"`{argument}` must be a list of names, got {wrong!r}.")
    if not found:
        raise MultiomeError(f"`{argument}` is empty; pass the names of the features, such as mdata['rna'].var_names.")
    index = pd.Index(found)
    if index.has_duplicates:
        twice = listed(dict.fromkeys(index[index.duplicated()]), most=3)
        raise InvalidPairing(f"`{argument}` names {twice} more than once; call `.var_names_make_unique()` first.")
    return [str(name) for name in found]


def check_table(table: object) -> Entries:
    """A user's pairs, as genes by protein.

    Raises
    ------
    MultiomeError
        If it is no table, lacks a column or has one twice, or has a row without a protein or a gene.
    """
    if table is None:
        return {}
    if not isinstance(table, pd.DataFrame):
        raise MultiomeError(f"`table` must be a DataFrame, got {type(table).__name__}.")
    if lacking := [column for column in ("protein", "gene") if column not in table]:
        raise MultiomeError(
            f"`table` needs the columns 'protein' and 'gene', and has {listed(table)}: no {lacking[0]!r}."
        )
    check_once(table, ["protein", "gene"], what="`table`")
    pairs = table[["protein", "gene"]]
    wrong = pairs.index[~pairs.map(lambda value: isinstance(value, str) and bool(value.strip())).all(axis=1)]
    if len(wrong):
        raise MultiomeError(
            f"`table` must hold a name in each row; rows {listed(wrong, most=3)} lack a protein or gene."
        )
    return _grouped(pairs.itertuples(index=False, name=None))


def _grouped(pairs: Iterable[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    groups: dict[str, dict[str, None]] = {}
    for key, value in sorted(pairs):
        groups.setdefault(key, {})[value] = None
    return {key: tuple(values) for key, values in groups.items()}


def _narrowest(outside: Sequence[str], inside: Sequence[str], known: Entries) -> tuple[str, ...]:
    """Each antigen once, without those that another one specifies, as HLA-DR does in "MHCII (HLA-DR)".

    What stands in brackets is another name of what stands before, or a remark: it counts if it shares a gene.
    """
    genes = {antigen: set(known[antigen]) for antigen in (*outside, *inside)}
    before = set().union(*(genes[antigen] for antigen in outside))
    kept: list[str] = []
    for one in [*outside, *(antigen for antigen in inside if not before or genes[antigen] & before)]:
        if not any(genes[other] < genes[one] for other in genes) and all(genes[other] != genes[one] for other in kept):
            kept.append(one)
    return tuple(kept)


def _symbols(matches: Mapping[str, MarkerMatch], own: Entries) -> set[str]:
    return {gene for match in matches.values() for gene in match.symbols} | {g for genes in own.values() for g in genes}
