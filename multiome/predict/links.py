"""The result of looking for links: which features of two modalities move together, and how sure that is."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import pandas as pd

from multiome.errors import MultiomeError, MultiomeWarning, listed, unknown
from multiome.predict.link_checks import NAMES, check_level, checked_places, checked_table, named
from multiome.predict.link_ends import drawable, with_places
from multiome.predict.link_files import bedpe, chosen_form, interact, longrange, write_lines
from multiome.predict.regulons import regulons

LEVEL = 0.1


@dataclass(frozen=True, eq=False, repr=False)
class Links:
    """Pairs of features that the guidance graph joins, and the evidence that they move together.

    One end of a pair is a gene, the other the peak, methylated site or protein that may belong to it.

    Raises
    ------
    SpecMismatch
        If the table or the places lack columns, or names are missing.
    """

    table: pd.DataFrame
    """One row per pair: ``source`` and ``target`` (names of features), ``score`` (its size is the strength of the
    evidence; negative where one falls as the other rises), ``p`` (of no link at all; NaN where it was not tested) and
    ``q`` (false discovery rate), ``distance`` (base pairs from the peak to the gene's transcription start site; NaN
    where not known), ``weight`` and ``sign`` of the graph's edge."""
    source_modality: str
    """The key of the sources."""
    target_modality: str
    """The key of the targets."""
    places: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    """By modality key, where its features lie: ``chrom``, ``start``, ``end`` (0-based and half-open), ``strand``,
    indexed by name. Features without a place, and modalities without any, are absent."""
    notes: tuple[str, ...] = ()
    """Sentences about how the links were found."""
    features: Mapping[str, pd.Index] = field(default_factory=dict)
    """By modality key, the features that links were looked for; by default those of the table."""
    gene_end: Literal["source", "target"] | None = "source"
    """Which end is the gene, whose place in files is its transcription start site; None where neither is."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "table", checked_table(self.table))
        object.__setattr__(self, "places", checked_places(self.places))
        object.__setattr__(self, "notes", tuple(self.notes))
        if not self.features:
            object.__setattr__(self, "features", named(self.table, self.source_modality, self.target_modality))

    def __len__(self) -> int:
        return len(self.table)

    def __repr__(self) -> str:
        genes, others = (self.table[end].nunique() for end in NAMES)
        found = self.table["score"][self.table["q"] <= LEVEL]
        told = (
            f"q <= {LEVEL}: {len(found):,}, of which {(found > 0).sum():,} rise together and {(found < 0).sum():,} are "
            "opposed"
        )
        if len(self) and self.table["p"].isna().all():
            told = "none of them was tested: p and q are NaN"
        of = f"{genes:,} features of {self.source_modality!r} and {others:,} of {self.target_modality!r}"
        return "\n  ".join([f"Links: {len(self):,} pairs of {of}", told, *self.notes])

    def of(self, feature: str, *, modality: str | None = None) -> pd.DataFrame:
        """The links of one feature, the strongest first: of a gene its peaks, of a peak its genes.

        Parameters
        ----------
        feature
            Name of a gene or of a peak.
        modality
            Its modality, needed only where both modalities have a feature of that name.

        Returns
        -------
        Rows of ``table``, by p and then by the size of the score; none if nothing was linked with it.

        Raises
        ------
        UnknownName
            If no feature has that name, or no modality that key.
        MultiomeError
            If ``feature`` is not one name, or both modalities have one and ``modality`` does not say which.
        """
        if not isinstance(feature, str):
            raise MultiomeError(f"`feature` must be the name of one gene or peak, got {feature!r}; ask one at a time.")
        known = self.features
        if modality is not None and modality not in known:
            raise unknown("modality", modality, list(known))
        having = [key for key in known if feature in known[key] and modality in (None, key)]
        if not having:
            names = [name for key in known if modality in (None, key) for name in known[key]]
            raise unknown("feature", feature, names, where=f" of {listed(known if modality is None else [modality])}")
        if len(having) > 1:
            raise MultiomeError(
                f"{feature!r} is a feature of {having[0]!r} and of {having[1]!r}; say which, as in "
                f"of({feature!r}, modality={having[0]!r})."
            )
        ends = {"source": self.source_modality, "target": self.target_modality}
        of_it = [self.table[end] == feature for end, key in ends.items() if key == having[0]]
        rows = self.table[np.logical_or.reduce(of_it)]
        order = np.lexsort((-rows["score"].abs().fillna(0).to_numpy(), rows["p"].to_numpy()))
        return rows.iloc[order].reset_index(drop=True)

    def significant(self, q: float = LEVEL) -> Links:
        """The links with a false discovery rate of at most ``q``.

        Raises
        ------
        MultiomeError
            If ``q`` is not a number above 0 and up to 1.
        """
        return replace(self, table=self.table[self.table["q"] <= check_level(q)])

    def to_dataframe(self) -> pd.DataFrame:
        """The table, and where both ends lie.

        Returns
        -------
        The columns of ``table``, then ``source_chrom``, ``source_start``, ``source_end``, ``source_strand`` (of the
        whole gene) and the same of the target, 0-based and half-open; ``""``, -1, -1 and ``"."`` where a place is not
        known.
        """
        ends = {"source": self.source_modality, "target": self.target_modality}
        return with_places(self.table, self.places, ends)

    def to_bedpe(self, path: str | os.PathLike, *, overwrite: bool = False) -> None:
        """Write BEDPE, as bedtools and IGV read it: one line per link, gene first, sorted.

        The gene's end is its transcription start site, one base; the peak's is its interval; both 0-based and
        half-open. ``score`` is the size of the score as a whole number of 0 to 1,000, of which the strongest of these
        links has 1,000. Then, beyond the ten columns of the format: ``evidence`` (the score as it is), ``p``, ``q``,
        ``distance``, ``weight`` and ``sign``; ``.`` where there is none. Chromosomes are spelt as in the data. Without
        links the file has a header only. A name that ends in ``.gz`` is written gzipped.

        Parameters
        ----------
        path
            The file; it appears whole or not at all.
        overwrite
            Replace a file that is there.

        Raises
        ------
        FileExistsError, FileNotFoundError
            If something is there and ``overwrite`` is False; if the folder does not exist.
        MultiomeError
            If the graph had no coordinates.
        """
        write_lines(path, bedpe(self._drawable()), overwrite=overwrite)

    def to_arcs(self, path: str | os.PathLike, *, form: str | None = None, overwrite: bool = False) -> None:
        """Write arcs for a genome browser: UCSC's ``interact``, or ``longrange`` as the WashU browser reads it.

        Coordinates are 0-based and half-open, the gene's end is one base at its transcription start site. Chromosomes
        are called as UCSC calls them (``chr1`` for ``1``). Without links the file has its header only; longrange has
        none and is then empty. A name that ends in ``.gz`` is written gzipped.

        * ``interact``: a track line, then 18 columns, from the peak to the gene; arcs are blue where both rise
          together, orange where they are opposed; ``value`` is the score, ``score`` its size of 0 to 1,000 as in
          `to_bedpe`. Pairs on two chromosomes have two lines, as the format wants it. IGV reads it too.
        * ``longrange``: two lines per link, one from either end, with the score as it is. The WashU browser wants it
          compressed with bgzip and indexed with ``tabix -p bed``; it is already sorted.

        Parameters
        ----------
        path
            The file; it appears whole or not at all. ``.interact`` or ``.longrange`` at the end says which form.
        form
            ``"interact"`` or ``"longrange"``, where the name does not say it.
        overwrite
            Replace a file that is there.

        Raises
        ------
        FileExistsError, FileNotFoundError
            If something is there and ``overwrite`` is False; if the folder does not exist.
        MultiomeError
            If the graph had no coordinates, or it is not clear which form to write.
        """
        if chosen_form(path, form) == "interact":
            content = interact(self._drawable(), [self.source_modality, self.target_modality])
        else:
            content = longrange(self._drawable())
        write_lines(path, content, overwrite=overwrite)

    def regulons(self, motifs: pd.DataFrame, *, q: float | None = None) -> pd.DataFrame:
        """Transcription factors and the genes that they may regulate, through motifs in the genes' peaks.

        Parameters
        ----------
        motifs
            Hits: one row each, with the columns ``tf`` and ``peak``; further columns are not looked at, and a pair that
            occurs twice counts once. Or a matrix of 0 and 1, sparse or not, with peaks as rows and transcription
            factors as columns. Peaks that are not linked to a gene are left out.
        q
            Keep rows with a false discovery rate of at most this; all by default.

        Returns
        -------
        One row per transcription factor and gene that has a peak with its motif, the smallest p first: ``tf``,
        ``gene``, ``score`` (of the peak whose score is largest in size) and ``peak`` (that one), ``n_peaks`` (of the
        gene, with the motif; also those whose link is weak), ``p`` (of no link with any of these peaks, by Simes'
        method) and ``q`` (its Benjamini-Hochberg false discovery rate over all rows). NaN where none of the peaks was
        tested. Ask all links, not `significant` ones: p-values of chosen links are too small.

        Raises
        ------
        MultiomeError
            If ``motifs`` has neither form or no hit, ``q`` is not a number above 0 and up to 1, or neither end of the
            links is a gene.
        UnknownName
            If none of its peaks is linked to a gene.

        References
        ----------
        Simes, Biometrika 73, 751 (1986).
        """
        level = None if q is None else check_level(q)
        if self.gene_end is None:
            raise MultiomeError(
                f"These links of {self.source_modality!r} and {self.target_modality!r} have no gene at either end, so "
                "motifs in peaks tell no genes of theirs; look for links of RNA and peaks, and ask those."
            )
        found = regulons(self._gene_first().table, motifs)
        return found if level is None else found[found["q"] <= level].reset_index(drop=True)

    def _gene_first(self) -> Links:
        """The same pairs with the gene as the source."""
        if self.gene_end != "target":
            return self
        turned = self.table.rename(columns={"source": "target", "target": "source"})
        return replace(
            self, table=turned, source_modality=self.target_modality, target_modality=self.source_modality,
            gene_end="source",
        )  # fmt: skip

    def _drawable(self) -> pd.DataFrame:
        """Links with both places; a warning where some have none, an error where the graph had none."""
        lost = [key for key in (self.source_modality, self.target_modality) if not len(self.places.get(key, ()))]
        if lost:
            raise MultiomeError(
                f"These links have no coordinates: the guidance graph knows no places of {listed(lost)}. Make it with "
                "GuidanceGraph.from_genome, or unite yours with one that is (graph | other), and look for links again; "
                "graphs that an older version saved have no places. `to_dataframe` needs none."
            )
        drawn = drawable(self._gene_first().to_dataframe(), genes=self.gene_end is not None)
        n_lost = len(self) - len(drawn)
        if n_lost:
            warnings.warn(
                f"{n_lost:,} of {len(self):,} links are not written: one of their features has no place in the graph.",
                MultiomeWarning,
                stacklevel=3,
            )
        return drawn
