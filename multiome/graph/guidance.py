"""Prior knowledge about which features belong together: a signed, weighted graph of features."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from multiome.errors import unknown
from multiome.graph import archive
from multiome.graph.checks import check_edges, check_places, check_vertices
from multiome.graph.genome import genome_edges
from multiome.graph.parts import Parts
from multiome.graph.proteins import protein_edges
from multiome.graph.summary import summarise
from multiome.graph.table import ENDS, edges_of_table, join


@dataclass(frozen=True, eq=False, repr=False)
class GuidanceGraph:
    """Features of several modalities, and which of them rise (or fall) together.

    Undirected and without self-loops. `from_genome`, `from_markers` and `from_table` make one, ``a | b`` unites two.

    Raises
    ------
    InvalidGraph
        If a vertex or an edge occurs twice, a value is out of range, or there is not one place per vertex.
    """

    vertices: pd.MultiIndex
    """(modality, feature), each once: the gene CD4 is ``("rna", "CD4")``, the protein ``("prot", "CD4")``."""
    edges: pd.DataFrame
    """``source`` and ``target`` (positions in ``vertices``, source < target), ``weight`` in (0, 1], ``sign`` (1: both
    rise together; -1: one falls as the other rises), ``distance`` (base pairs to the gene's transcription start site;
    NaN where an edge is not from a genome)."""
    report: tuple[str, ...] = ()
    """Sentences about what matched and what did not."""
    places: pd.DataFrame | None = None
    """Where features lie: one row per vertex, ``chrom``, ``start``, ``end`` (0-based and half-open) and ``strand``;
    ``""``, -1, -1 and ``"."`` where a vertex has no place, such as a protein. None for a graph that knows no places;
    `from_genome` knows them, and spells chromosomes as the names or columns of the peaks do."""

    def __post_init__(self) -> None:
        check_vertices(self.vertices)
        object.__setattr__(self, "edges", check_edges(self.edges, len(self.vertices)))
        object.__setattr__(self, "report", tuple(self.report))
        object.__setattr__(self, "places", check_places(self.places, len(self.vertices)))

    def __repr__(self) -> str:
        return self.summary()

    def summary(self) -> str:
        """Sizes, edges and signs per pair of modalities, features without an edge, and the report, as text."""
        return summarise(self.vertices, self.edges, self.isolated(), self.report)

    def isolated(self, key: str | None = None) -> pd.Index:
        """Features without an edge: the names of one modality's, or all as (modality, feature).

        Raises
        ------
        UnknownName
            If no modality has that key.
        """
        alone = np.ones(len(self.vertices), dtype=bool)
        alone[self.edges["source"]] = False
        alone[self.edges["target"]] = False
        if key is None:
            return self.vertices[alone]
        keys = self.vertices.unique("modality")
        if key not in keys:
            raise unknown("modality", key, list(keys))
        return self.vertices[alone & (self.vertices.get_level_values("modality") == key)].get_level_values("feature")

    def __or__(self, other: GuidanceGraph) -> GuidanceGraph:
        """The vertices and edges of both; an edge of both keeps the larger weight, and must have one sign.

        A vertex lies where the first graph says, or the second if the first does not know; the report says how many lie
        elsewhere in the second.
        """
        if not isinstance(other, GuidanceGraph):
            raise TypeError(f"A graph is united with another graph, got {type(other).__name__}; see from_table.")
        parts = [Parts(graph.vertices, graph.edges, graph.report, graph.places) for graph in (self, other)]
        return GuidanceGraph(*join(parts))

    def table(self) -> pd.DataFrame:
        """One row per edge, with names: what `from_table` reads. Where features lie is not part of it; `save` keeps it.

        Returns
        -------
        Columns source_modality, source, target_modality, target, weight, sign, distance.
        """
        source, target = (self.vertices[self.edges[end].to_numpy()] for end in ("source", "target"))
        names = [index.get_level_values(level) for index in (source, target) for level in ("modality", "feature")]
        table = pd.DataFrame({end: name.to_numpy(object) for end, name in zip(ENDS, names, strict=True)})
        return table.assign(**{name: self.edges[name] for name in ("weight", "sign", "distance")})

    def save(self, path: str | os.PathLike, *, overwrite: bool = False) -> None:
        """Write one file, beside the target and then renamed into place.

        Raises
        ------
        FileExistsError, FileNotFoundError
            If something is there and ``overwrite`` is False; if the folder does not exist.
        """
        archive.save(path, self.write, overwrite=overwrite)

    @classmethod
    def load(cls, path: str | os.PathLike) -> GuidanceGraph:
        """Read what `save` wrote.

        Raises
        ------
        FileNotFoundError, InvalidGraph
            If there is no such file; if it is no graph, cut short, or of a newer format.
        """
        source = Path(path)
        if not source.is_file():
            raise FileNotFoundError(f"There is no guidance graph at {source}.")
        with source.open("rb") as file:
            return cls(*archive.read(file, str(source)))

    def write(self, file: archive.BinaryFile) -> None:
        """Write into an open binary file, such as a member of a larger archive."""
        archive.write(file, Parts(self.vertices, self.edges, self.report, self.places))

    @classmethod
    def read(cls, file: archive.BinaryFile) -> GuidanceGraph:
        """Read from an open binary file what `write` wrote; errors are those of `load`."""
        return cls(*archive.read(file, "The file"))

    @classmethod
    def from_table(
        cls, table: pd.DataFrame, *, vertices: pd.MultiIndex | Mapping[str, Sequence[str]] | None = None
    ) -> GuidanceGraph:
        """Read a graph from named edges.

        Parameters
        ----------
        table
            One edge per row: ``source_modality``, ``source``, ``target_modality``, ``target``; and if there, ``weight``
            in (0, 1] (else 1), ``sign`` 1 or -1 (else 1), ``distance`` in base pairs (else NaN). The direction does not
            matter; an edge that occurs twice keeps its larger weight; self-loops are left out. Other columns are not
            read; names close to those of the optional ones are mentioned.
        vertices
            All features, also those without an edge, as (modality, feature) or by modality; without it those that the
            table names.

        Raises
        ------
        InvalidGraph
            If a column or a name is missing, a value is out of range, an edge has both signs, or there is no edge.
        UnknownName
            If the table names a feature that is not among ``vertices``.

        Examples
        --------
        >>> import pandas as pd
        >>> import multiome as mo
        >>> edge = {"source_modality": "rna", "source": "CD8A", "target_modality": "prot", "target": "CD8a"}
        >>> graph = mo.GuidanceGraph.from_table(pd.DataFrame([edge]))
        >>> len(graph.vertices), len(graph.edges)
        (2, 1)
        """
        return cls(*edges_of_table(table, vertices))

    @classmethod
    def from_genome(
        cls,
        rna: Any,
        atac: Any,
        *,
        keys: tuple[str, str] = ("rna", "atac"),
        genes: str | os.PathLike | pd.DataFrame | None = None,
        window: int | None = None,
        promoter: int = 2_000,
        signs: tuple[int, int] | None = None,
    ) -> GuidanceGraph:
        """Join genes with the peaks (or methylated sites) that lie in or near them.

        Coordinates are 0-based and half-open. The distance of two intervals is 0 where they share a base, else the
        difference of their nearest bases. The transcription start site (TSS) is a gene's first base on the ``+``
        strand, its last on ``-``, and either of them where the strand is not known.

        Parameters
        ----------
        rna, atac
            `AnnData`, or their ``.var``. Peaks lie where the columns ``chrom``, ``chromStart`` and ``chromEnd`` say,
            else where names such as ``chr1:100-200``, ``chr1-100-200`` or ``chr1_100_200`` say.
        keys
            What the two are called in the `MuData`.
        genes
            Where genes lie: the path of a GTF or GFF3 file (1-based and closed; converted) or of a TSV or CSV table,
            gzipped or not, or a `DataFrame`. Tables have ``chrom``, ``chromStart``, ``chromEnd``, ``gene_name`` or
            ``gene_id``, and ``strand``. Without it, the columns of ``rna.var`` say, else the names.
        window
            None: a peak is joined to the genes whose body, or the ``promoter`` bases upstream of it, it overlaps, with
            weight 1. A number: to the genes from whose interval it is at most ``window`` bases away, with weight
            ``((d + 1000) / 1000) ** -0.75`` at distance ``d``, as in GLUE (Cao and Gao 2022).
        promoter
            Bases upstream of the TSS that belong to a gene.
        signs
            Sign of an edge from a feature at the promoter, and in the rest of the gene; 0: no edge there. With two
            equal signs the interval is as above. With others the promoter is the TSS and ``promoter`` bases to either
            side, and a feature takes the sign of the nearer, promoter or body, in doubt the promoter's. By default
            ``(1, 1)``, and ``(-1, 0)`` where the second key is one of methylation (such as ``"met"``).

        Returns
        -------
        The graph; ``distance`` is that from the nearest base of the peak to the TSS, 0 where the peak covers it, and
        ``places`` is where genes and peaks lie.

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        InvalidGraph
            If a column occurs twice, ``window`` or ``promoter`` is above 10**8, coordinates are missing or impossible,
            the genomes do not fit, the two are swapped, or there is no edge.

        References
        ----------
        Cao and Gao, Nature Biotechnology 40, 1458 (2022).

        Examples
        --------
        >>> import multiome as mo
        >>> sim = mo.datasets.simulate(n_cells=20, n_genes=50, n_peaks=80, seed=0).mdata
        >>> graph = mo.GuidanceGraph.from_genome(sim["rna"], sim["atac"], window=150_000)
        >>> len(graph.vertices)
        130
        """
        return cls(*genome_edges(rna, atac, keys=keys, genes=genes, window=window, promoter=promoter, signs=signs))

    @classmethod
    def from_markers(
        cls, rna: Any, protein: Any, *, keys: tuple[str, str] = ("rna", "prot"), table: pd.DataFrame | None = None
    ) -> GuidanceGraph:
        """Join surface proteins with the genes that encode them.

        Parameters
        ----------
        rna, protein
            `AnnData`, or the names of genes and of proteins.
        keys
            What the two are called in the `MuData`.
        table
            Which protein belongs to which gene: a `DataFrame` with the columns ``protein`` and ``gene``; others are not
            read. It goes on top of a table of common antibodies: proteins that yours does not name are sought there,
            then among the genes.

        Raises
        ------
        MultiomeError
            If names occur twice, or ``table`` lacks a column or a name.
        UnknownName
            If no protein belongs to one of the genes.
        InvalidGraph
            If genes and proteins are swapped.
        """
        return cls(*protein_edges(rna, protein, keys=keys, table=table))
