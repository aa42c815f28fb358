"""Places from columns and from names."""

import re

import numpy as np
import pandas as pd
import pytest

from multiome.errors import InvalidGraph
from multiome.graph.coordinates import compare_names, places_in_columns, places_in_names, plain_chromosomes
from multiome.graph.findings import Findings


def places(**columns) -> tuple[pd.DataFrame, Findings]:
    table = pd.DataFrame(columns)
    table.index = [f"p{i}" for i in range(len(table))]
    findings = Findings()
    return places_in_columns(table, what="atac", findings=findings), findings


def test_chromosomes_in_one_spelling():
    names = pd.Series(
        ["chr1", "1", "Chr1", 1, 1.0, "chrM", "MT", "chrMT", "x", "chrX", "chrUn_KI270742v1", "GL000194.1"]
    )
    plain = ["1", "1", "1", "1", "1", "M", "M", "M", "X", "X", "Un_KI270742v1", "GL000194.1"]
    assert plain_chromosomes(names).tolist() == plain
    assert plain_chromosomes(pd.Series([None, np.nan, "", "NA", "."])).tolist() == [""] * 5


@pytest.mark.parametrize("name", ["chr1:100-200", "chr1-100-200", "chr1_100_200", "1:100-200"])
def test_names_say_places(name):
    assert places_in_names(pd.Index([name])).iloc[0].tolist() == ["1", 100, 200, ".", re.split("[:_-]", name)[0]]


def test_contigs_with_underscores_and_names_that_are_no_places():
    found = places_in_names(pd.Index(["chr1_KI270706v1_random_5_9", "HLA-A", "chr10_103235914_promoter", "chr1:5"]))
    assert found["chrom"].tolist() == ["1_KI270706v1_random", "", "", ""]
    assert found["start"].tolist() == [5, -1, -1, -1]


def test_missing_in_all_its_forms():
    found, findings = places(
        chrom=["chr1", "", None, "chr2", "chr3", "chr4"],
        chromStart=[5, -1, 3, np.nan, -1, 7],
        chromEnd=[9, -1, 4, 8, -1, 9],
        strand=["+", "", None, "-", "-1", "1"],
    )
    assert found["chrom"].tolist() == ["1", "", "", "", "", "4"]
    assert found["start"].tolist() == [5, -1, -1, -1, -1, 7]
    assert found["strand"].tolist() == ["+", ".", ".", "-", "-", "+"]
    assert found["written"].tolist() == ["chr1", "", "", "chr2", "chr3", "chr4"]
    assert found.dtypes[["start", "end"]].tolist() == [np.int64, np.int64]
    assert not findings.sentences


def test_text_and_whole_floats_are_read():
    found, _ = places(chrom=["1", "2"], chromStart=["5", "6"], chromEnd=[9.0, 10.0])
    assert found[["start", "end"]].to_numpy().tolist() == [[5, 9], [6, 10]]


def test_categories_are_read():
    chrom, strand = pd.Categorical(["chr1", None]), pd.Categorical(["-", "+"])
    found, _ = places(chrom=chrom, chromStart=[5, 6], chromEnd=[9, 10], strand=strand)
    assert found["chrom"].tolist() == ["1", ""]
    assert found["strand"].tolist() == ["-", "+"]


@pytest.mark.parametrize(
    ("start", "end", "says"),
    [
        ([5, 30], [9, 20], r"chromStart lies beyond chromEnd in 1 of 2 \(50.0 %\) \(first: 'p1'\).*swap them back"),
        ([5.5, 6], [9, 20], r"`chromStart` must hold whole numbers; 1 of 2 are not \(first: '5.5'\)"),
        ([5, -7], [9, 20], r"1 positions are negative \(first: 'p1'\)"),
        (["5", "abc"], [9, 20], r"`chromStart` holds 'abc', which are no positions"),
        ([5, 6], [np.inf, 20], r"`chromEnd` holds 'inf', which are no positions"),
        ([5, 6], [1e30, 20], r"`chromEnd` holds positions beyond any chromosome \('1e\+30'\)"),
    ],
)
def test_impossible_positions_are_errors(start, end, says):
    with pytest.raises(InvalidGraph, match=says):
        places(chrom=["chr1", "chr2"], chromStart=start, chromEnd=end)


def test_an_unknown_word_for_a_strand_is_an_error():
    with pytest.raises(InvalidGraph, match=r"`strand` must be '\+', '-' or '\.' \(not known\), got 'forward'"):
        places(chrom=["1", "1"], chromStart=[1, 2], chromEnd=[3, 4], strand=["+", "forward"])


def test_no_length_is_one_base_with_a_warning():
    found, findings = places(chrom=["1", "1"], chromStart=[5, 7], chromEnd=[5, 9])
    assert found["end"].tolist() == [6, 9]
    assert "atac: 1 of 2 (50.0 %) have no length" in findings.warnings[0]
    assert "if yours are 1-based, subtract 1 from chromStart" in findings.warnings[0]


def test_names_one_base_off_are_a_warning():
    names = pd.Index(["gene", "chr1:100-200", "chr1:301-400"])
    found, findings = places(chrom=["1", "1", "1"], chromStart=[5, 100, 300], chromEnd=[9, 200, 400])
    compare_names(found, names, what="atac", findings=findings)
    assert len(findings.warnings) == 1
    assert "the names of 1 of 2 (50.0 %) differ by one base" in findings.warnings[0]
    assert "('chr1:301-400', but 300-400)" in findings.warnings[0]


def test_names_of_other_places_are_reported_and_equal_ones_are_not():
    found, findings = places(chrom=["1", "1"], chromStart=[100, 300], chromEnd=[200, 400])
    compare_names(found, pd.Index(["chr1:100-200", "chr1:300-400"]), what="atac", findings=findings)
    assert findings == Findings()
    compare_names(found, pd.Index(["chr1:5100-5200", "chr1:300-400"]), what="atac", findings=findings)
    assert findings.warnings == []
    assert "1 of 2 (50.0 %) differ from the columns, which were used" in findings.sentences[0]


def test_most_names_of_other_places_are_a_warning():
    found, findings = places(chrom=["1", "1"], chromStart=[100, 300], chromEnd=[200, 400])
    compare_names(found, pd.Index(["chr1:5100-5200", "chr1:5300-5400"]), what="atac", findings=findings)
    assert "2 of 2 (100.0 %) differ from the columns" in findings.warnings[0]
    assert "another genome build" in findings.warnings[0]


@pytest.mark.parametrize("name", ["chr1:200-100", "chr1:100-100"])
def test_names_that_are_no_interval(name):
    with pytest.raises(InvalidGraph, match=rf"1 of 2 .*end where they start, or before \(first: '{name}'"):
        places_in_names(pd.Index(["chr1:5-9", name]))


def test_names_beyond_any_chromosome_are_an_error():
    with pytest.raises(InvalidGraph, match=r"names of 1 of 2 \(50.0 %\) are intervals beyond any chromosome"):
        places_in_names(pd.Index(["chr1:1-2", f"chr1:{10**22}-{10**22 + 5}"]))
