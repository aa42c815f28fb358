"""Files for genome browsers, against their specifications."""

import gzip

import bioframe
import numpy as np
import pandas as pd
import pytest

import multiome as mo
from multiome.errors import MultiomeError, MultiomeWarning, UnknownName

TABLE = pd.DataFrame(
    [
        ("BBB", "chr1:700-800", 0.5, 0.01, 0.02, 199.0, 1.0, 1),
        ("AAA", "chr1:90-110", 2.0, 1e-9, 0.004, 0.0, 1.0, 1),
        ("AAA", "chr1:700-800", -4.0, 0.01, np.nan, 600.0, 0.5, 1),
        ("no strand", "chr1:700-800", 1.0, 0.01, 0.5, 100.0, 1.0, -1),
        ("AAA", "chr2:5-9", 0.0, 0.5, 0.5, np.nan, 1.0, 1),
    ],
    columns=["source", "target", "score", "p", "q", "distance", "weight", "sign"],
)
GENES = pd.DataFrame(
    {"chrom": "chr1", "start": [100, 900, 200], "end": [500, 1_000, 601], "strand": ["+", "-", "."]},
    index=["AAA", "BBB", "no strand"],
)
PEAKS = pd.DataFrame(
    {"chrom": ["chr1", "chr1", "chr2"], "start": [90, 700, 5], "end": [110, 800, 9], "strand": "."},
    index=["chr1:90-110", "chr1:700-800", "chr2:5-9"],
)


@pytest.fixture
def links() -> mo.Links:
    return mo.Links(TABLE, "rna", "atac", {"rna": GENES, "atac": PEAKS})


def read(path) -> list[list[str]]:
    return [line.split("\t") for line in path.read_text().splitlines()]


def test_bedpe(links, tmp_path):
    path = tmp_path / "links.bedpe"
    links.to_bedpe(path)
    header, *rows = read(path)
    assert header == [
        "#chrom1", "start1", "end1", "chrom2", "start2", "end2", "name", "score", "strand1", "strand2",
        "evidence", "p", "q", "distance", "weight", "sign",
    ]  # fmt: skip
    assert ["\t".join(row[:10]) for row in rows] == [
        "chr1\t100\t101\tchr1\t90\t110\tAAA/chr1:90-110\t500\t+\t.",
        "chr1\t100\t101\tchr1\t700\t800\tAAA/chr1:700-800\t1000\t+\t.",
        "chr1\t100\t101\tchr2\t5\t9\tAAA/chr2:5-9\t0\t+\t.",
        "chr1\t600\t601\tchr1\t700\t800\tno_strand/chr1:700-800\t250\t.\t.",
        "chr1\t999\t1000\tchr1\t700\t800\tBBB/chr1:700-800\t125\t-\t.",
    ]
    assert [row[10:] for row in rows] == [
        ["2", "1e-09", "0.004", "0", "1", "1"],
        ["-4", "0.01", ".", "600", "0.5", "1"],
        ["0", "0.5", "0.5", ".", "1", "1"],
        ["1", "0.01", "0.5", "100", "1", "-1"],
        ["0.5", "0.01", "0.02", "199", "1", "1"],
    ]
    assert list(tmp_path.iterdir()) == [path]


def test_bedpe_as_others_read_it(links, tmp_path):
    path = tmp_path / "links.bedpe"
    links.to_bedpe(path)
    found = bioframe.read_table(path, schema="bedpe", comment="#", usecols=range(10))
    assert (found["end1"] - found["start1"] == 1).all()
    assert found["score"].between(0, 1_000).all()
    assert set(found["strand1"]) == {"+", "-", "."}


def test_interact(links, tmp_path):
    """https://genome.ucsc.edu/goldenPath/help/interact.html: a track line, 18 columns, sorted by start."""
    path = tmp_path / "links.interact"
    links.to_arcs(path)
    text = path.read_text().splitlines()
    assert text[0] == (
        'track type=interact name="rna and atac" description="Links of rna and atac" maxHeightPixels=200:100:50 '
        "visibility=full"
    )
    header, *rows = (line.split("\t") for line in text[1:])
    assert (header[0], header[-1], len(header)) == ("#chrom", "targetStrand", 18)
    assert rows == [
        ["chr1", "90", "110", "AAA/chr1:90-110", "500", "2", ".", "0,114,178",
         "chr1", "90", "110", "chr1:90-110", ".", "chr1", "100", "101", "AAA", "+"],
        ["chr1", "100", "101", "AAA/chr2:5-9", "0", "0", ".", "0,114,178",
         "chr2", "5", "9", "chr2:5-9", ".", "chr1", "100", "101", "AAA", "+"],
        ["chr1", "100", "800", "AAA/chr1:700-800", "1000", "-4", ".", "213,94,0",
         "chr1", "700", "800", "chr1:700-800", ".", "chr1", "100", "101", "AAA", "+"],
        ["chr1", "600", "800", "no_strand/chr1:700-800", "250", "1", ".", "0,114,178",
         "chr1", "700", "800", "chr1:700-800", ".", "chr1", "600", "601", "no_strand", "."],
        ["chr1", "700", "1000", "BBB/chr1:700-800", "125", "0.5", ".", "0,114,178",
         "chr1", "700", "800", "chr1:700-800", ".", "chr1", "999", "1000", "BBB", "-"],
        ["chr2", "5", "9", "AAA/chr2:5-9", "0", "0", ".", "0,114,178",
         "chr2", "5", "9", "chr2:5-9", ".", "chr1", "100", "101", "AAA", "+"],
    ]  # fmt: skip


def test_longrange(links, tmp_path):
    """https://epigenomegateway.readthedocs.io/en/latest/tracks.html#longrange: two sorted lines per pair."""
    path = tmp_path / "links.longrange"
    links.to_arcs(path)
    assert read(path) == [
        ["chr1", "90", "110", "chr1:100-101,2", "1", "."],
        ["chr1", "100", "101", "chr1:700-800,-4", "2", "."],
        ["chr1", "100", "101", "chr1:90-110,2", "3", "."],
        ["chr1", "100", "101", "chr2:5-9,0", "4", "."],
        ["chr1", "600", "601", "chr1:700-800,1", "5", "."],
        ["chr1", "700", "800", "chr1:100-101,-4", "6", "."],
        ["chr1", "700", "800", "chr1:600-601,1", "7", "."],
        ["chr1", "700", "800", "chr1:999-1000,0.5", "8", "."],
        ["chr1", "999", "1000", "chr1:700-800,0.5", "9", "."],
        ["chr2", "5", "9", "chr1:100-101,0", "10", "."],
    ]


def test_the_nearer_end_of_a_gene_without_a_strand(links, tmp_path):
    """As distances in the graph are measured; of two that are equally near the first."""
    table = TABLE.iloc[[3, 3]].assign(target=["chr1:90-110", "chr1:350-451"])
    peaks = PEAKS.assign(start=[90, 350, 5], end=[110, 451, 9]).set_axis(["chr1:90-110", "chr1:350-451", "x"])
    mo.Links(table, "rna", "atac", {"rna": GENES, "atac": peaks}).to_bedpe(tmp_path / "a")
    assert [row[1] for row in read(tmp_path / "a")[1:]] == ["200", "200"]


def test_form_by_name_or_by_word(links, tmp_path):
    links.to_arcs(tmp_path / "a.txt", form="longrange")
    links.to_arcs(tmp_path / "a.longrange")
    assert (tmp_path / "a.txt").read_bytes() == (tmp_path / "a.longrange").read_bytes()
    links.to_arcs(str(tmp_path / "b.longrange"), form="interact")
    assert (tmp_path / "b.longrange").read_text().startswith("track type=interact")
    with pytest.raises(MultiomeError, match=r"does not say which format it has; let it end in \.interact \(UCSC\) or"):
        links.to_arcs(tmp_path / "links.bed")
    with pytest.raises(UnknownName, match=r"Unknown form 'long'; there is 'interact', 'longrange'"):
        links.to_arcs(tmp_path / "links.bed", form="long")


@pytest.mark.parametrize("name", ["a.bedpe", "a.interact", "a.longrange"])
def test_gzipped_by_name(links, tmp_path, name):
    def write(path):
        links.to_bedpe(path) if "bedpe" in name else links.to_arcs(path)

    write(tmp_path / name)
    write(tmp_path / f"{name}.gz")
    assert gzip.decompress((tmp_path / f"{name}.gz").read_bytes()) == (tmp_path / name).read_bytes()


def test_chromosomes_are_called_as_in_the_data_or_as_at_ucsc(links, tmp_path):
    names = {"1": "chr1", "X": "chrX", "MT": "chrM", "GL000194.1": "GL000194.1", "2L": "chr2L", "chr3": "chr3"}
    peaks = pd.DataFrame({"chrom": list(names), "start": 5, "end": 9, "strand": "."}, index=[f"p{n}" for n in names])
    genes = peaks.set_axis([f"g{n}" for n in names])
    table = pd.concat([TABLE[:1]] * len(names)).assign(source=genes.index, target=peaks.index)
    links = mo.Links(table, "rna", "atac", {"rna": genes, "atac": peaks})
    links.to_bedpe(tmp_path / "a.bedpe")
    assert {row[0] for row in read(tmp_path / "a.bedpe")[1:]} == set(names)
    for form in ("interact", "longrange"):
        links.to_arcs(tmp_path / form, form=form)
        rows = [row for row in read(tmp_path / form) if len(row) > 1 and not row[0].startswith("#")]
        assert {row[0] for row in rows} == set(names.values())
        assert [row[0] for row in rows] == sorted(row[0] for row in rows)


def test_names_with_blanks_and_quotes_do_not_break_lines(tmp_path):
    odd = 'a\tb "c"\n'
    table = TABLE[:1].assign(source=odd)
    links = mo.Links(table, 'r"na', "atac", {'r"na': GENES[:1].set_axis([odd]), "atac": PEAKS})
    links.to_bedpe(tmp_path / "a.bedpe")
    assert read(tmp_path / "a.bedpe")[1][6] == 'a_b_"c"_/chr1:700-800'
    links.to_arcs(tmp_path / "a.interact")
    assert 'name="r\'na and atac"' in (tmp_path / "a.interact").read_text()
    assert len(read(tmp_path / "a.interact")[2]) == 18


def test_without_links_there_are_headers(links, tmp_path):
    none = links.significant(0.001)
    for path, n in ((tmp_path / "a.bedpe", 1), (tmp_path / "a.interact", 2), (tmp_path / "a.longrange", 0)):
        none.to_bedpe(path) if "bedpe" in path.name else none.to_arcs(path)
        assert len(path.read_text().splitlines()) == n


def test_scores_that_are_not_known_or_all_zero(links, tmp_path):
    mo.Links(TABLE.assign(score=np.nan), "rna", "atac", links.places).to_arcs(tmp_path / "a.interact")
    rows = read(tmp_path / "a.interact")[2:]
    assert {(row[4], row[5]) for row in rows} == {("0", "0")}


@pytest.mark.parametrize(("places", "lost"), [({}, "'rna', 'atac'"), ({"rna": GENES, "atac": PEAKS[:0]}, "'atac'")])
def test_links_without_coordinates_say_what_to_do(tmp_path, places, lost):
    links = mo.Links(TABLE, "rna", "atac", places)
    says = rf"no places of {lost}\. Make it with GuidanceGraph\.from_genome"
    with pytest.raises(MultiomeError, match=says):
        links.to_bedpe(tmp_path / "a.bedpe")
    with pytest.raises(MultiomeError, match=says):
        links.to_arcs(tmp_path / "a.interact")
    assert not list(tmp_path.iterdir())


def test_links_with_one_place_are_left_out_with_a_warning(links, tmp_path):
    some = mo.Links(TABLE, "rna", "atac", {"rna": GENES, "atac": PEAKS[:2]})
    with pytest.warns(MultiomeWarning, match="1 of 5 links are not written: one of their features has no place"):
        some.to_bedpe(tmp_path / "a.bedpe")
    assert len(read(tmp_path / "a.bedpe")) == 5


def test_files_are_not_replaced_unasked_and_never_half_written(links, tmp_path, monkeypatch):
    path = tmp_path / "a.interact"
    path.write_text("mine")
    with pytest.raises(FileExistsError, match="pass overwrite=True"):
        links.to_arcs(path)
    with pytest.raises(FileExistsError, match="pass overwrite=True"):
        links.to_bedpe(path)
    with pytest.raises(FileNotFoundError, match="does not exist; make it first"):
        links.to_bedpe(tmp_path / "none" / "a.bedpe")

    def fail(self, data):
        raise OSError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(type(path), "write_bytes", fail)
        with pytest.raises(OSError, match="disk full"):
            links.to_bedpe(path, overwrite=True)
    assert path.read_text() == "mine"
    links.to_arcs(path, overwrite=True)
    assert path.read_text().startswith("track")
    assert list(tmp_path.iterdir()) == [path]
