"""Where the vertices of a graph lie."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import multiome as mo
from multiome.errors import InvalidGraph
from multiome.graph.vertex_places import places_by_modality

from_genome = mo.GuidanceGraph.from_genome
NOWHERE = ["", -1, -1, "."]


def rows(graph: mo.GuidanceGraph) -> dict:
    return dict(zip(graph.vertices, graph.places.to_numpy().tolist(), strict=True))


def test_genes_and_peaks_have_their_places(placed):
    assert rows(placed) == {
        ("rna", "AAA"): ["chr1", 10_000, 20_000, "+"],
        ("rna", "BBB"): ["chr1", 50_000, 60_000, "-"],
        ("rna", "CCC"): ["chr2", 10_000, 12_000, "+"],
        ("rna", "MT-X"): ["chrM", 100, 900, "+"],
        ("atac", "chr1:10000-10100"): ["chr1", 10_000, 10_100, "."],
        ("atac", "chr2:11000-11500"): ["chr2", 11_000, 11_500, "."],
        ("atac", "chr2:90000-90100"): ["chr2", 90_000, 90_100, "."],
        ("atac", "elsewhere"): NOWHERE,
    }
    assert placed.places.dtypes.to_dict() == {"chrom": object, "start": np.int64, "end": np.int64, "strand": object}


def test_places_of_each_modality_by_name(placed, graph):
    found = places_by_modality(placed.vertices, placed.places)
    assert list(found) == ["rna", "atac"]
    assert found["rna"].index.tolist() == ["AAA", "BBB", "CCC", "MT-X"]
    assert found["atac"].loc["chr2:11000-11500"].tolist() == ["chr2", 11_000, 11_500, "."]
    assert "elsewhere" not in found["atac"].index
    united = placed | graph
    assert list(places_by_modality(united.vertices, united.places)) == ["rna", "atac"]  # proteins have no place
    assert places_by_modality(graph.vertices, graph.places) == {}


def test_chromosomes_are_spelt_as_the_peaks_are(genes, peaks):
    """Genes on a chromosome without a peak keep their own spelling; of two spellings of the peaks the first stays."""
    found = rows(from_genome(genes, peaks("1:10000-10100", "chr1:50000-50100")))
    assert found["rna", "AAA"][0] == found["rna", "BBB"][0] == found["atac", "chr1:50000-50100"][0] == "1"
    assert found["rna", "CCC"][0] == "chr2"
    assert found["rna", "MT-X"][0] == "chrM"


def test_places_of_columns_and_of_an_annotation(gene_table, peaks):
    gene_table["chrom"] = gene_table["chrom"].str[3:]
    atac = pd.DataFrame({"chrom": [1.0, np.nan], "chromStart": [10_000, 3], "chromEnd": [10_100, 4]}, index=["p", "q"])
    names = pd.DataFrame(index=["BBB", "???", "AAA"])
    found = rows(from_genome(names, atac, genes=gene_table))
    assert found == {
        ("rna", "BBB"): ["1", 50_000, 60_000, "-"],
        ("rna", "???"): NOWHERE,
        ("rna", "AAA"): ["1", 10_000, 20_000, "+"],
        ("atac", "p"): ["1", 10_000, 10_100, "."],
        ("atac", "q"): NOWHERE,
    }


def test_peaks_on_chromosomes_without_genes_have_a_place(genes, peaks):
    atac = peaks("chr1:10000-10100", "chrUn_KI270742v1:5-9")
    assert rows(from_genome(genes, atac))["atac", "chrUn_KI270742v1:5-9"] == ["chrUn_KI270742v1", 5, 9, "."]


def test_graphs_from_names_know_no_places(graph):
    assert graph.places is None
    assert mo.GuidanceGraph.from_markers(["CD4"], ["CD4"]).places is None
    assert (graph | graph).places is None


@pytest.mark.parametrize("first", [True, False])
def test_union_places_what_either_places(genes, peaks, first):
    """Also where every vertex of one graph has a place and the other graph knows none."""
    near = from_genome(genes, peaks("chr1:10000-10100"))
    edge = {"source_modality": "rna", "source": "AAA", "target_modality": "prot", "target": "aaa"}
    markers = mo.GuidanceGraph.from_table(pd.DataFrame([edge]))
    united = near | markers if first else markers | near
    assert rows(united) == rows(near) | {("prot", "aaa"): NOWHERE}
    assert set(united.report) == {*near.report, *markers.report}


def test_union_keeps_the_first_place_and_says_how_many_differ(genes, peaks, same):
    first = from_genome(genes.assign(strand=["+", ".", "+", "+"]), peaks("chr1:10000-10100", "chr2:11000-11500"))
    moved = genes.assign(
        chromStart=genes["chromStart"] + [0, 0, 5, 0], strand=["-", "-", "+", "+"], chrom=["1", "1", "2", "MT"]
    )
    second = from_genome(moved, peaks("1:10000-10100", "2:11000-11500", "3:7-9"))
    united = first | second
    assert rows(united) == rows(first) | {
        ("rna", "BBB"): ["chr1", 50_000, 60_000, "-"],  # the strand that only the second knows
        ("atac", "1:10000-10100"): ["chr1", 10_000, 10_100, "."],
        ("atac", "2:11000-11500"): ["chr2", 11_000, 11_500, "."],
        ("atac", "3:7-9"): ["3", 7, 9, "."],
    }
    assert united.report[-1].startswith(
        "2 of 4 (50.0 %) features whose place several graphs know lie elsewhere in a later"
    )
    assert rows(second | first)["rna", "CCC"] == ["2", 10_005, 12_000, "+"]
    same(first | first, first)


def test_order_of_vertices_does_not_matter_to_a_union(genes, peaks):
    atac = peaks("chr1:10000-10100", "chr2:11000-11500")
    a, b = from_genome(genes, atac), from_genome(genes.iloc[::-1], atac.iloc[::-1])
    assert rows(a | b) == rows(b | a) == rows(a)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"start": -2}, r"0 <= start < end, .*; 8 of 8 are not \(first: 'chr1', '-2', '20000', '\+'\)"),
        ({"end": 5}, r"8 of 8 are not"),
        ({"end": np.nan}, r"8 of 8 are not"),
        ({"start": 0.5}, r"8 of 8 are not"),
        ({"start": "here"}, r"8 of 8 are not"),
        ({"chrom": ""}, r"7 of 8 are not"),
        ({"chrom": None}, r"`chrom` must be text, '' where it is not known; 8 of 8 are not \(first: None\)"),
        ({"chrom": 1}, r"`chrom` must be text, .*first: 1\)"),
        ({"strand": "1"}, r"`strand` must be '\+', '-' or '\.' \(not known\), got '1'"),
    ],
)
def test_what_is_no_place_is_an_error(placed, change, says):
    with pytest.raises(InvalidGraph, match=says):
        replace(placed, places=placed.places.assign(**change))


def test_one_place_per_vertex(placed):
    with pytest.raises(InvalidGraph, match=r"one row per vertex, in their order: it has 7 rows, there are 8 vertices"):
        replace(placed, places=placed.places[:7])
    with pytest.raises(InvalidGraph, match="`places` lacks the columns 'strand'; it has 'chrom', 'start', 'end'"):
        replace(placed, places=placed.places.drop(columns="strand"))
    shuffled = placed.places.assign(more=1).set_axis(placed.vertices)[["more", "strand", "end", "start", "chrom"]]
    pd.testing.assert_frame_equal(replace(placed, places=shuffled).places, placed.places)
