"""Links as a value: its parts, what is asked of one feature, and what is wrong with what was given."""

import copy
import inspect
import pickle

import numpy as np
import pandas as pd
import pytest

import multiome as mo
from multiome.errors import MultiomeError, SpecMismatch, UnknownName
from multiome.graph.vertex_places import places_by_modality

COLUMNS = ["source", "target", "score", "p", "q", "distance", "weight", "sign"]


@pytest.fixture
def table() -> pd.DataFrame:
    """Three genes and three peaks; a pair that was not tested, and one whose two p-values are equal."""
    rows = [
        ("AAA", "chr1:90-110", 2.0, 0.001, 0.004, 0.0, 1.0, 1),
        ("AAA", "chr1:700-800", -3.0, 0.01, 0.02, 600.0, 0.5, 1),
        ("BBB", "chr1:700-800", 0.5, 0.01, 0.02, 199.0, 1.0, 1),
        ("BBB", "chr2:5-9", 0.1, 0.4, 0.4, np.nan, 1.0, 1),
        ("CCC", "chr2:5-9", np.nan, np.nan, np.nan, 3.0, 1.0, -1),
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


@pytest.fixture
def links(table) -> mo.Links:
    genes = pd.DataFrame(
        {"chrom": ["chr1", "chr1"], "start": [100, 900], "end": [500, 1_000], "strand": ["+", "-"]},
        index=["AAA", "BBB"],
    )
    peaks = pd.DataFrame(
        {"chrom": ["chr1", "chr1", "chr2"], "start": [90, 700, 5], "end": [110, 800, 9], "strand": "."},
        index=["chr1:90-110", "chr1:700-800", "chr2:5-9"],
    )
    return mo.Links(table, "rna", "atac", {"rna": genes, "atac": peaks}, ("Tested in 40 cells.",))


def test_repr_is_a_summary(links):
    assert repr(links).splitlines() == [
        "Links: 5 pairs of 3 features of 'rna' and 3 of 'atac'",
        "  q <= 0.1: 3, of which 2 rise together and 1 are opposed",
        "  Tested in 40 cells.",
    ]
    assert len(links) == 5


def test_repr_says_where_nothing_was_tested(table, links):
    lines = repr(mo.Links(table.assign(p=np.nan, q=np.nan), "rna", "atac")).splitlines()
    assert lines[1:] == ["  none of them was tested: p and q are NaN"]
    assert "  q <= 0.1: 0, of which" in repr(links.significant(1e-9))  # none is left, but they were


def test_links_of_a_gene_and_of_a_peak(links):
    assert links.of("AAA")["target"].tolist() == ["chr1:90-110", "chr1:700-800"]
    assert links.of("chr1:700-800")["source"].tolist() == ["AAA", "BBB"]  # of equal p the larger score
    assert links.of("chr2:5-9")["source"].tolist() == ["BBB", "CCC"]  # what was not tested comes last
    assert links.of("CCC", modality="rna").index.tolist() == [0]
    assert list(links.of("CCC").columns) == COLUMNS


def test_names_that_do_not_exist(links):
    with pytest.raises(UnknownName, match=r"Unknown feature 'AAB' of 'rna', 'atac'; there is .* Did you mean 'AAA'\?"):
        links.of("AAB")
    with pytest.raises(UnknownName, match=r"Unknown feature 'AAA' of 'atac'; there is 'chr1:90-110'"):
        links.of("AAA", modality="atac")
    with pytest.raises(UnknownName, match=r"Unknown modality 'atca'; there is 'rna', 'atac'\. Did you mean 'atac'"):
        links.of("AAA", modality="atca")


@pytest.mark.parametrize("feature", [["AAA"], np.array(["AAA", "BBB"]), None, 3])
def test_what_is_no_name(links, feature):
    with pytest.raises(MultiomeError, match="`feature` must be the name of one gene or peak, got"):
        inspect.unwrap(mo.Links.of)(links, feature)  # without the checks of types that tests add


def test_regulons_need_a_gene_at_one_end(table):
    links = mo.Links(table, "atac", "prot", gene_end=None)
    with pytest.raises(MultiomeError, match=r"links of 'atac' and 'prot' have no gene at either end.*of RNA and peaks"):
        links.regulons(pd.DataFrame({"tf": ["T"], "peak": ["chr2:5-9"]}))


def test_a_name_in_both_modalities_needs_one(table):
    links = mo.Links(table.assign(target=["CCC", "x", "x", "y", "y"]), "rna", "prot")
    with pytest.raises(
        MultiomeError, match=r"'CCC' is a feature of 'rna' and of 'prot'; say which, as in of\('CCC', mod"
    ):
        links.of("CCC")
    assert links.of("CCC", modality="rna")["target"].tolist() == ["y"]
    assert links.of("CCC", modality="prot")["source"].tolist() == ["AAA"]


def test_links_within_one_modality(table):
    links = mo.Links(table.assign(target=["CCC", "x", "x", "y", "AAA"]), "rna", "rna")
    assert links.of("CCC")[["source", "target"]].to_numpy().tolist() == [["AAA", "CCC"], ["CCC", "AAA"]]


def test_significant(links):
    found = links.significant()
    assert isinstance(found, mo.Links)
    assert found.table.index.tolist() == [0, 1, 2]
    assert len(links.significant(q=0.004)) == 1
    assert len(links.significant(1)) == 4  # NaN is never significant
    assert (found.notes, found.places, found.source_modality) == (links.notes, links.places, "rna")
    assert len(links) == 5


def test_a_feature_without_a_significant_link_is_known(links):
    assert links.significant(0.001).of("BBB").empty
    assert list(links.significant(0.001).of("BBB").columns) == COLUMNS


@pytest.mark.parametrize("q", [0, -1, 1.5, np.nan])
def test_levels_that_are_none(links, q):
    with pytest.raises(MultiomeError, match=r"`q` must be a number above 0 and up to 1, such as 0\.1, got"):
        links.significant(q)
    with pytest.raises(MultiomeError, match="`q` must be a number above 0"):
        links.regulons(pd.DataFrame({"tf": ["T"], "peak": ["chr2:5-9"]}), q=q)


def test_to_dataframe_has_both_places(links):
    found = links.to_dataframe()
    assert list(found.columns[:8]) == COLUMNS
    assert found.iloc[1, 8:].tolist() == ["chr1", 100, 500, "+", "chr1", 700, 800, "."]
    assert found.iloc[4, 8:].tolist() == ["", -1, -1, ".", "chr2", 5, 9, "."]  # CCC has no place
    assert found.dtypes[["source_start", "target_end"]].tolist() == [np.int64, np.int64]


def test_to_dataframe_without_coordinates(table):
    found = mo.Links(table, "rna", "prot").to_dataframe()
    assert (found["source_chrom"] == "").all()
    assert (found["target_start"] == -1).all()


def test_no_links(links):
    none = links.significant(0.0001)
    assert len(none) == 0
    assert none.to_dataframe().empty
    assert repr(none).splitlines()[0] == "Links: 0 pairs of 0 features of 'rna' and 0 of 'atac'"
    assert len(mo.Links(links.table[:0], "rna", "atac")) == 0


def test_rows_are_numbered_afresh_and_the_given_table_stays(table):
    given = table.set_axis([7, 7, 3, 1, 0]).assign(more="x")
    links = mo.Links(given, "rna", "atac")
    assert links.table.index.tolist() == [0, 1, 2, 3, 4]
    assert "more" in links.of("AAA").columns
    assert given.index.tolist() == [7, 7, 3, 1, 0]


def test_what_is_no_table_of_links(table, links):
    with pytest.raises(
        SpecMismatch, match="lacks the columns 'p', 'q'; it has 'source', 'target', 'score', 'distance'"
    ):
        mo.Links(table.drop(columns=["p", "q"]), "rna", "atac")
    with pytest.raises(SpecMismatch, match="1 of 5 links miss a name"):
        mo.Links(table.assign(target=["p", None, "p", "p", "p"]), "rna", "atac")
    genes = links.places["rna"]
    with pytest.raises(SpecMismatch, match=r"The places of 'rna' lack the columns 'strand'; there is 'chrom', 'start'"):
        mo.Links(table, "rna", "atac", {"rna": genes.drop(columns="strand")})
    with pytest.raises(SpecMismatch, match=r"1 features of 'rna' have two places \(first: 'AAA'\)"):
        mo.Links(table, "rna", "atac", {"rna": pd.concat([genes, genes[:1]])})


def test_links_are_copied_and_pickled(links):
    for again in (pickle.loads(pickle.dumps(links)), copy.deepcopy(links)):
        pd.testing.assert_frame_equal(again.table, links.table)
        assert repr(again) == repr(links)


def test_places_of_a_graph_are_places_of_links(small):
    """A gene's distance in the graph is that from its start site to the peak as the links say where they lie."""
    graph = mo.GuidanceGraph.from_genome(small.mdata["rna"], small.mdata["atac"], window=150_000)
    named = graph.table().assign(score=1.0, p=0.5, q=0.5)
    places = places_by_modality(graph.vertices, graph.places)
    found = mo.Links(named[COLUMNS], "rna", "atac", places).to_dataframe()
    site = np.where(found["source_strand"] == "+", found["source_start"], found["source_end"] - 1)
    apart = np.maximum(np.maximum(found["target_start"] - site, site - found["target_end"] + 1), 0)
    np.testing.assert_array_equal(apart, found["distance"])
    assert (found["source_chrom"] == found["target_chrom"]).all()
    assert places_by_modality(graph.vertices, None) == {}
