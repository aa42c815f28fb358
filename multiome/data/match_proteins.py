"""Which antibodies of two panels bind the same antigen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import pandas as pd

from multiome.data.spec import DataSpec
from multiome.errors import MultiomeError, UnknownName, listed, unknown
from multiome.graph.markers import Entries, check_names, curated, look_up
from multiome.graph.protein_names import antigens, simplified
from multiome.modalities.protein import PROTEIN

SPECIES = ("human", "mouse")
COLUMNS = ["name", "other", "antigen", "n_names", "n_others"]
# Antibodies against these bind one form of what a gene encodes: a splice variant, an allele, a sugar on it.
FORMS = {
    form: group[0]
    for group in (
        ("cd45ra", "hi100"), ("cd45rb",), ("cd45rc",), ("cd45ro",), ("cd45r", "b220", "cd45rb220", "ra36b2"),
        ("cd45.1", "ly5.1"), ("cd45.2", "ly5.2"), ("cd90.1", "thy1.1"), ("cd44v6",),
        ("cla", "cutaneouslymphocyteantigen", "heca452"), ("cd35", "cr1"),
        ("hlaa2",), ("hlaa3",), ("hlaa24",), ("hlab7",), ("hlab27",),
    )
    for form in group
}  # fmt: skip
# A chain that is on a cell with the others only: who binds it binds the complex.
CHAINS = {"cd3e": "cd3", "hladra": "hladr"}


@runtime_checkable
class Specified(Protocol):
    """What says which features it was built for: a fitted `Multiome`."""

    @property
    def spec(self) -> DataSpec:
        """Modalities and their features."""
        ...


@dataclass(frozen=True)
class Antigen:
    """What makes two names the same: genes and a form of what they encode, or for unknown names the name."""

    genes: tuple[str, ...]
    form: str

    @property
    def symbols(self) -> str | None:
        """The genes, and which form of what they encode, where names say one."""
        if not self.genes:
            return None
        return ";".join(self.genes) + (f" ({self.form.upper()})" if self.form else "")


def match_proteins(names: Iterable[str], others: Iterable[str] | Specified, species: str = "human") -> pd.DataFrame:
    """Which names of one panel mean the same antigen as which names of another.

    Panels write one antigen in many ways: ``CD279``, ``PD-1 (CD279)`` and ``ADT_CD279(PD-1)_A0004`` are one. Names are
    read as `GuidanceGraph.from_markers` reads them, by the antibodies that this package knows.

    Parameters
    ----------
    names
        Names of antibodies, such as ``mdata["prot"].var_names``.
    others
        Names of another panel, or a fitted `Multiome`: the proteins that it was trained on.
    species
        ``"human"`` or ``"mouse"``: whose antigens the antibodies bind.

    Returns
    -------
    One row per pair of names, in the order of ``names`` and then of ``others``, without a row where nothing matches:

    ``name``, ``other``
        As they were given.
    ``antigen``
        Symbols of the genes that encode it, joined by ``;``, and the form, as in ``PTPRC (CD45RA)``; missing (None) for
        names that no table knows, which match only if they are the same without case, separators and Greek letters.
    ``n_names``, ``n_others``
        How many names of either side mean this antigen. Where both are 1 there is nothing to choose; else there are
        several antibodies or barcodes for it, and which one to take, the counts must tell.

    Forms of one gene's product are told apart (``CD45RA``, ``CD45RO`` and ``CD45``; alleles such as ``CD45.1``), and so
    are a chain and a complex (``CD18`` and ``LFA-1``), except where the chain is there only as a part of it (``CD3e``
    and ``CD3``). Controls, hashtags and reagents match nothing, not even themselves.

    Raises
    ------
    MultiomeError
        If ``names`` or ``others`` is no list of names, or is empty.
    InvalidPairing
        If a name occurs more than once.
    UnknownName
        If there is no such species, or the model has no proteins.

    Examples
    --------
    >>> pairs = match_proteins(["PD-1 (CD279)", "CD4", "CCR7"], ["CD4_GTCCAGGC", "CD4_CACGATTC", "CD279"])
    >>> print(pairs.to_string(index=False))
            name        other antigen  n_names  n_others
    PD-1 (CD279)        CD279   PDCD1        1         1
             CD4 CD4_GTCCAGGC     CD4        1         2
             CD4 CD4_CACGATTC     CD4        1         2
    """
    if species not in SPECIES:
        raise unknown("species", species, SPECIES)
    known = curated(species)
    ours = {name: antigen for name in antibodies("names", names) if (antigen := antigen_of(name, known))}
    theirs: dict[Antigen, list[str]] = {}
    for other in (
        proteins_of(others.spec)
        if isinstance(others, Specified) and not isinstance(others, type)
        else antibodies("others", others)
    ):
        if antigen := antigen_of(other, known):
            theirs.setdefault(antigen, []).append(other)
    count = Counter(ours.values())
    rows = [
        (name, other, antigen.symbols, count[antigen], len(theirs[antigen]))
        for name, antigen in ours.items()
        for other in theirs.get(antigen, [])
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def antigen_of(name: str, known: Entries) -> Antigen | None:
    """What a name means; None for controls, hashtags and reagents, and for names without a letter."""
    match = look_up(name, {}, {}, known, {})
    if match.rule == "unknown":
        return Antigen((), short) if (short := simplified(name)) else None
    if match.rule != "curated":
        return None
    genes = set(match.symbols)
    for chain, complex_ in CHAINS.items():
        if chain in known and genes == set(known[chain]):
            genes = set(known[complex_])
    forms = {FORMS[read] for side in antigens(name, known) for read in side if read in FORMS}
    return Antigen(tuple(sorted(genes)), " ".join(sorted(forms)))


def antibodies(argument: str, names: object) -> list[str]:
    """Names of antibodies as a list.

    Raises
    ------
    MultiomeError
        If it is something else.
    """
    if hasattr(names, "var_names"):
        raise MultiomeError(
            f"`{argument}` must be names of antibodies, got {type(names).__name__}; pass its .var_names, of a MuData "
            "those of the modality that holds proteins, such as mdata['prot'].var_names."
        )
    if not isinstance(names, Iterable) or isinstance(names, Mapping | pd.DataFrame | type):
        also = ", or a fitted Multiome" if argument == "others" else ""
        given = type(names).__name__ if isinstance(names, Mapping | pd.DataFrame) else repr(names)
        raise MultiomeError(f"`{argument}` must be a list of names of antibodies{also}, got {given}.")
    return check_names(argument, names)


def proteins_of(spec: DataSpec) -> list[str]:
    """The proteins that a model was trained on.

    Raises
    ------
    UnknownName
        If there are none, or several panels.
    """
    keys = [key for key, modality in spec.modalities.items() if modality.kind == PROTEIN.name]
    if len(keys) != 1:
        raise UnknownName(
            f"The model has {len(keys)} modalities of proteins (it knows {listed(spec.modalities)}), not one to match "
            "with. Pass names, such as model.spec.modalities['prot'].features."
        )
    return list(spec.modalities[keys[0]].features)
