"""`multiome links`: what is written is what the functions return, and command lines that cannot be followed."""

from __future__ import annotations

import gzip

import numpy as np
import pandas as pd
import pytest

import multiome as mo
from multiome.predict.links import Links

COLUMNS = ["source", "target", "score", "p", "q", "distance", "weight", "sign"]


@pytest.fixture(scope="module")
def linked(tmp_path_factory, quick_fit):
    """A model of two chromosomes in a file, and its links; motifs in its peaks."""
    sim = mo.datasets.simulate(
        n_cells=200, modalities=("rna", "atac"), n_genes=110, n_peaks=150, depth={"rna": 2000, "atac": 2000}, seed=1
    ).mdata
    graph = mo.GuidanceGraph.from_genome(sim["rna"], sim["atac"], window=100_000)
    model = quick_fit(sim, graph=graph, train={"decoys": 0.3})
    folder = tmp_path_factory.mktemp("links")
    model.save(folder / "m.multiome")
    peaks = sim["atac"].var_names
    hits = pd.DataFrame({"tf": np.resize(["SPI1", "GATA1", "NA"], len(peaks)), "peak": peaks})
    hits.to_csv(folder / "hits.tsv", sep="\t", index=False)
    pd.crosstab(hits["peak"], hits["tf"]).to_csv(folder / "matrix.csv.gz")
    return folder, model.links("atac", "rna"), hits


@pytest.fixture
def write(run, linked, tmp_path):
    """Run the command with these options, and give the file."""

    def call(name: str, options: str = ""):
        assert run(f"links {linked[0]}/m.multiome --out {tmp_path / name} {options}") == 0
        return tmp_path / name

    return call


@pytest.mark.parametrize(("name", "sep"), [("l.tsv", "\t"), ("l.csv", ","), ("l.tsv.gz", "\t"), ("l.csv.gz", ",")])
def test_tables(write, linked, name, sep, capsys):
    path = write(name)
    expected = linked[1].to_dataframe()
    found = pd.read_csv(path, sep=sep)
    assert list(found.columns[:8]) == COLUMNS
    pd.testing.assert_frame_equal(found, expected)
    assert (path.read_bytes()[:2] == b"\x1f\x8b") == name.endswith(".gz")
    said = capsys.readouterr().out
    assert said == f"{linked[1]}\nWrote {path}: {len(expected):,} links\n"


@pytest.mark.parametrize("name", ["l.bedpe", "l.interact", "l.longrange", "l.bedpe.gz", "l.longrange.gz"])
def test_files_for_genome_browsers(write, linked, name, tmp_path):
    path, expected = write(name), tmp_path / f"expected.{name}"
    if "bedpe" in name:
        linked[1].to_bedpe(expected)
    else:
        linked[1].to_arcs(expected)
    assert path.read_bytes() == expected.read_bytes()


def test_options_are_passed_on(write, linked):
    model = mo.Multiome.load(linked[0] / "m.multiome")
    options = "--source rna --target atac --window 20000 --q 0.9"
    found = pd.read_csv(write("l.tsv", options), sep="\t")
    expected = model.links("rna", "atac", window=20_000).significant(0.9).to_dataframe()
    assert 0 < len(expected) < len(linked[1])
    pd.testing.assert_frame_equal(found, expected)


@pytest.mark.parametrize("window", ["2e4", "20000.0"])
def test_a_whole_window_may_be_written_with_an_exponent_or_a_point(write, linked, window):
    expected = mo.Multiome.load(linked[0] / "m.multiome").links("rna", "atac", window=20_000)
    found = pd.read_csv(write("l.tsv", f"--source rna --target atac --window {window}"), sep="\t")
    pd.testing.assert_frame_equal(found, expected.to_dataframe())


def test_a_threshold_that_nothing_meets_gives_a_header(write, capsys):
    path = write("l.tsv", "--q 0.000001")
    assert path.read_text().split("\t")[:8] == COLUMNS
    assert f"Wrote {path}: 0 links" in capsys.readouterr().out


@pytest.mark.parametrize("motifs", ["hits.tsv", "matrix.csv.gz"])
def test_regulons(write, linked, motifs, capsys):
    folder, links, hits = linked
    found = pd.read_csv(write("r.csv", f"--motifs {folder}/{motifs}"), keep_default_na=False)
    expected = links.regulons(hits)
    assert set(expected["tf"]) == {"SPI1", "GATA1", "NA"}
    pd.testing.assert_frame_equal(found, expected)
    assert "pairs of transcription factor and gene" in capsys.readouterr().out
    some = pd.read_csv(write("some.csv", f"--motifs {folder}/{motifs} --q 0.9"), keep_default_na=False)
    assert len(some) == len(links.regulons(hits, q=0.9)) < len(found)


def test_an_output_is_replaced_only_when_asked(run, write, linked, tmp_path, capsys):
    path = tmp_path / "l.tsv"
    path.write_text("precious")
    assert run(f"links {linked[0]}/m.multiome --out {path}") == 2
    assert "--overwrite true" in capsys.readouterr().err
    assert path.read_text() == "precious"
    assert len(pd.read_csv(write("l.tsv", "--overwrite true"), sep="\t")) == len(linked[1])


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("--out l.txt", "--out l.txt must end in .tsv, .csv, .bedpe, .interact or .longrange, or in one of these and"),
        ("--out l.gz", "--out l.gz must end in .tsv, .csv"),
        ("--out tsv", "--out tsv must end in"),
        ("--out l.bedpe --motifs {files}/m.tsv", "--out l.bedpe must end in .tsv or .csv, or in one of these and .gz."),
        ("--out l.tsv --motifs {files}/fitted.multiome", "fitted.multiome must end in .tsv or .csv"),
        ("--out l.tsv --motifs {files}/m.tsv", "There is no file {files}/m.tsv"),
        ("--out nowhere/l.tsv", "{here}/nowhere does not exist"),
        ("--out l.tsv --window -5", "--window is a number of base pairs and must be at least 0, got -5."),
        ("--out l.tsv --window 1.5", "--window is a number of base pairs and must be whole, got 1.5."),
        ("--out l.tsv --window 1e999", "--window is a number of base pairs and must be whole, got inf."),
        ("--out l.tsv --q 0", "--q is a false discovery rate and must be above 0 and at most 1, got 0."),
        ("--out l.tsv --q 5", "got 5."),
    ],
)
def test_what_is_checked_before_anything_is_read(run, line, says, files, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("multiome.api.Multiome.load", lambda path: pytest.fail(f"{path} was read"))
    assert run(f"links ./fitted.multiome {line.format(files=files)}") == 2
    said = capsys.readouterr().err
    assert said.startswith("Error (")
    assert says.format(files=files, here=tmp_path) in said
    assert not list(tmp_path.iterdir())


def test_a_missing_model(run, tmp_path, capsys):
    assert run(f"links {tmp_path}/gone.multiome --out {tmp_path}/l.tsv") == 2
    assert "There is no file" in capsys.readouterr().err


def test_motifs_are_not_written_over(run, linked, capsys):
    motifs = linked[0] / "hits.tsv"
    before = motifs.read_bytes()
    line = f"links {linked[0]}/m.multiome --motifs {motifs} --out {motifs} --overwrite true"
    assert run(line) == 2
    assert "is also what is read" in capsys.readouterr().err
    assert motifs.read_bytes() == before


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ("--source prot", "Unknown modality 'prot'"),
        ("--source rna", "no edge between 'rna' and 'rna'; it joins 'rna and atac'"),
        ("--motifs {folder}/words.tsv", "--motifs lacks the columns 'tf', 'peak'; it has 'a', 'b'"),
        ("--motifs {folder}/other.tsv", "None of the 1 peaks with a motif is linked to a gene"),
        ("--motifs {folder}/empty.tsv", "empty.tsv cannot be read as a table"),
        ("--motifs {folder}/noise.tsv.gz", "noise.tsv.gz cannot be read as a table"),
    ],
)
def test_complaints_are_messages(run, linked, tmp_path, options, says, capsys):
    (tmp_path / "words.tsv").write_text("a\tb\nx\ty\n")
    (tmp_path / "other.tsv").write_text("tf\tpeak\nSPI1\tchr9:1-2\n")
    (tmp_path / "empty.tsv").write_text("")
    (tmp_path / "noise.tsv.gz").write_bytes(gzip.compress(b"tf\tpeak\n" * 100)[:20])
    line = f"links {linked[0]}/m.multiome --out {tmp_path}/l.tsv {options.format(folder=tmp_path)}"
    assert run(line) == 1
    assert says in capsys.readouterr().err
    assert not (tmp_path / "l.tsv").exists()


def test_a_model_without_a_graph(run, tmp_path, capsys):
    assert run(f"links ./fitted.multiome --out {tmp_path}/l.tsv") == 1
    assert "fitted without a guidance graph; fit takes one with --graph" in capsys.readouterr().err


def test_links_without_coordinates(run, linked, tmp_path, capsys, monkeypatch):
    table = linked[1].table
    monkeypatch.setattr("multiome.api.Multiome.links", lambda *_, **__: Links(table, "atac", "rna"))
    assert run(f"links {linked[0]}/m.multiome --out {tmp_path}/l.bedpe") == 1
    said = capsys.readouterr().err
    assert "These links have no coordinates" in said
    assert "A .tsv or .csv file needs none." in said
    assert not (tmp_path / "l.bedpe").exists()
    assert run(f"links {linked[0]}/m.multiome --out {tmp_path}/l.tsv") == 0
