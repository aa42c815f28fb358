"""Overlaps and distances, against every base written out."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from multiome.graph.intervals import decay, near

PLACE = st.tuples(st.sampled_from(["1", "2"]), st.integers(0, 60), st.integers(1, 25), st.sampled_from("+-."))
SIGNS = st.sampled_from([(1, 1), (-1, -1), (-1, 0), (0, 1), (-1, 1), (1, 0)])


def table(rows: list[tuple[str, int, int, str]]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["chrom", "start", "end", "strand"])
    return frame.assign(end=frame["start"] + frame["end"])


def bases_between(a: set[int], b: set[int]) -> int:
    return min(abs(i - j) for i in a for j in b)


def expected(gene: pd.Series, feature: pd.Series, *, window: int, promoter: int, signs: tuple[int, int]):
    """(gap, sign, distance) of one pair, or None, from sets of bases."""
    if gene["chrom"] != feature["chrom"]:
        return None
    body, bases = (set(range(row["start"], row["end"])) for row in (gene, feature))
    sites = {"+": {min(body)}, "-": {max(body)}, ".": {min(body), max(body)}}[gene["strand"]]
    if signs[0] == signs[1]:
        upstream = set()
        if gene["strand"] in "+.":
            upstream |= set(range(min(body) - promoter, min(body)))
        if gene["strand"] in "-.":
            upstream |= set(range(max(body) + 1, max(body) + 1 + promoter))
        gap, sign = bases_between(body | upstream, bases), signs[0]
    else:
        around = {site + i for site in sites for i in range(-promoter, promoter + 1)}
        to_promoter, to_body = bases_between(around, bases), bases_between(body, bases)
        gap, sign = (to_promoter, signs[0]) if to_promoter <= to_body else (to_body, signs[1])
    return (gap, sign, bases_between(sites, bases)) if gap <= window and sign else None


@given(
    genes=st.lists(PLACE, min_size=1, max_size=6),
    features=st.lists(PLACE, min_size=1, max_size=8),
    window=st.integers(0, 30),
    promoter=st.integers(0, 10),
    signs=SIGNS,
)
def test_pairs_are_those_of_all_bases_compared(genes, features, window, promoter, signs):
    genes, features = table(genes), table(features)
    found = near(genes, features, window=window, promoter=promoter, signs=signs)
    wanted = {}
    for g, gene in genes.iterrows():
        for f, feature in features.iterrows():
            pair = expected(gene, feature, window=window, promoter=promoter, signs=signs)
            if pair is not None:
                wanted[g, f] = pair
    rows = found[["gene", "feature", "gap", "sign", "distance"]].itertuples(index=False)
    assert {(g, f): tuple(rest) for g, f, *rest in rows} == wanted
    assert len(found) == len(wanted)
    assert found[["gene", "feature"]].apply(tuple, axis=1).is_monotonic_increasing


def test_labels_are_those_of_the_rows():
    genes = table([("1", 10, 5, "+")]).set_axis([7])
    features = table([("1", 90, 5, "."), ("1", 12, 5, ".")]).set_axis([3, 4])
    found = near(genes, features, window=0, promoter=0, signs=(1, 1))
    assert found[["gene", "feature"]].to_numpy().tolist() == [[7, 4]]


def test_no_pair_is_an_empty_table():
    found = near(table([("1", 0, 5, "+")]), table([("2", 0, 5, ".")]), window=9, promoter=2, signs=(1, 1))
    assert found.empty
    assert list(found.columns) == ["gene", "feature", "gap", "sign", "distance"]


def test_decay_is_that_of_glue():
    assert decay(np.array([0, 1_000, 149_000])) == pytest.approx([1, 2**-0.75, 150**-0.75])
