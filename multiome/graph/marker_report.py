"""What a report says about the proteins whose genes were looked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from multiome.errors import UnknownName, listed
from multiome.graph.protein_names import simplified

RULES = {"table": "by `table`", "curated": "as known antibodies", "gene": "by the name of a gene"}
LEFT_OUT = {
    "control": "controls",
    "hashtag": "hashtags",
    "reagent": "reagents that bind no protein of a cell",
    "ambiguous": "names of a control or of an antigen (say which by naming the antigens in `table`)",
}


@dataclass(frozen=True)
class MarkerMatch:
    """What is known of one protein."""

    rule: str
    """One of `RULES`, of `LEFT_OUT`, or ``unknown``."""
    antigens: tuple[str, ...] = ()
    """The known names that its name is made of."""
    symbols: tuple[str, ...] = ()
    """The genes of those, as symbols that need not be among the given genes."""


def marker_notes(matches: Mapping[str, MarkerMatch], found: Sequence[str]) -> tuple[str, ...]:
    """Sentences about all proteins, of which those found have an edge; names are sorted."""
    by = {rule: [name for name in found if matches[name].rule == rule] for rule in RULES}
    how = ", ".join(f"{len(names):,} {RULES[rule]}" for rule, names in by.items() if names)
    notes = [f"{len(found):,} of {len(matches):,} proteins have a gene{': ' + how if how else ''}."]
    lost = [
        f"{name}: {', '.join(match.symbols[:3])}"
        for name, match in sorted(matches.items())
        if match.symbols and name not in found
    ]
    if lost:
        notes.append(f"The genes of these proteins are known but not among those given: {listed(lost)}.")
    if unknown := _with_rule(matches, "unknown"):
        notes.append(f"No gene is known for {listed(unknown)}; pass `table=` with columns `protein` and `gene`.")
    for reason, what in LEFT_OUT.items():
        if names := _with_rule(matches, reason):
            notes.append(f"Left out on purpose, as {what}: {listed(names)}.")
    if several := [name for name in found if len(matches[name].antigens) > 1]:
        notes.append(f"These names stand for several antigens and have the genes of all: {listed(several)}.")
    return tuple(notes)


def table_notes(
    own: Mapping[str, Sequence[str]], matches: Mapping[str, MarkerMatch], spelling: Mapping[str, str]
) -> tuple[str, ...]:
    """Sentences about what a user's table names and the data lack."""
    notes = []
    if absent := sorted({gene for genes in own.values() for gene in genes} - set(spelling)):
        notes.append(f"`table` names genes that are not among those given: {listed(absent)}.")
    used = {antigen for match in matches.values() if match.rule == "table" for antigen in match.antigens}
    if idle := sorted(name for name in own if not used & {name, simplified(name)}):
        notes.append(f"`table` names proteins that are not among those given: {listed(idle)}.")
    return tuple(notes)


def nothing_found(genes: Sequence[str], proteins: Sequence[str], notes: Sequence[str]) -> UnknownName:
    """The error where no protein has a gene."""
    ensembl = sum(gene.startswith(("ENSG", "ENSMUSG")) for gene in genes) * 2 > len(genes)
    advice = (
        "The genes are Ensembl ids; name them by gene symbols, such as 'CD3D'."
        if ensembl
        else "If these are symbols, pass `table=`, a DataFrame with columns `protein` and `gene`."
    )
    return UnknownName(
        f"None of the {len(proteins):,} proteins ({listed(proteins, most=5)}) has a gene among the {len(genes):,} "
        f"genes ({listed(genes, most=5)}). {advice} {' '.join(notes[1:])}".rstrip()
    )


def _with_rule(matches: Mapping[str, MarkerMatch], rule: str) -> list[str]:
    return sorted(name for name, match in matches.items() if match.rule == rule)
