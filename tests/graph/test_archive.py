"""Graphs as files, and files that are no graphs."""

import io
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import multiome as mo
from multiome.errors import InvalidGraph
from multiome.graph import archive

FIXTURES = Path(__file__).parents[1] / "fixtures"


def test_saved_and_loaded(graph, tmp_path, same):
    graph = mo.GuidanceGraph(graph.vertices, graph.edges, ("β-catenin was not found.",))
    path = tmp_path / "graph.npz"
    graph.save(path)
    same(mo.GuidanceGraph.load(path), graph)
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(FileExistsError, match="pass overwrite=True"):
        graph.save(path)
    graph.save(str(path), overwrite=True)
    with np.load(path, allow_pickle=False) as members:  # nothing is pickled
        assert {members[name].dtype.kind for name in members.files} <= set("uif")


def test_a_graph_lies_inside_a_larger_archive(graph, tmp_path, same):
    with zipfile.ZipFile(tmp_path / "model", "w") as whole, whole.open("graph.npz", "w") as member:
        graph.write(member)
    with zipfile.ZipFile(tmp_path / "model") as whole, whole.open("graph.npz") as member:
        same(mo.GuidanceGraph.read(member), graph)
    a, b = io.BytesIO(), io.BytesIO()
    graph.write(a)
    graph.write(b)
    assert a.getvalue() == b.getvalue()


@pytest.mark.parametrize("known", [True, False])
def test_places_are_kept(placed, same, known):
    graph = placed if known else replace(placed, places=None)
    graph.write(file := io.BytesIO())
    file.seek(0)
    again = mo.GuidanceGraph.read(file)
    same(again, graph)
    assert (again.places is not None) == known


@pytest.mark.parametrize("number", [1, 2])
def test_a_graph_of_every_format_still_loads(number):
    """What one version saved, every later version must read; ``tests/fixtures/make_graph.py`` made the files."""
    graph = mo.GuidanceGraph.load(FIXTURES / f"graph_format{number}.npz")
    assert graph.vertices.tolist() == [
        ("rna", "AAA"), ("rna", "BBB"), ("rna", "CCC"), ("atac", "chr1:50-150"), ("atac", "chr2:9950-9990"),
        ("prot", "aaa"),
    ]  # fmt: skip
    assert graph.edges[["source", "target", "sign"]].to_numpy().tolist() == [[0, 3, 1], [0, 5, 1], [1, 4, 1]]
    assert "rna: 2 of 3 (66.7 %) genes have coordinates, from `.var`." in graph.report
    if number == 1:  # it had no places
        assert graph.places is None
    else:
        assert graph.places.to_numpy().tolist() == [
            ["chr1", 100, 500, "+"], ["chr2", 9_000, 9_900, "-"], ["", -1, -1, "."],
            ["chr1", 50, 150, "."], ["chr2", 9_950, 9_990, "."], ["", -1, -1, "."],
        ]  # fmt: skip


def test_a_failed_save_leaves_the_old_file(graph, tmp_path, monkeypatch):
    path = tmp_path / "graph.npz"
    graph.save(path)
    before = path.read_bytes()

    def fail(file, *_):
        file.write(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(archive, "write", fail)
    with pytest.raises(KeyboardInterrupt):
        graph.save(path, overwrite=True)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_where_nothing_can_be_saved(graph, tmp_path):
    with pytest.raises(FileExistsError, match="is a folder; name a file"):
        graph.save(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"The folder .*none does not exist; make it first"):
        graph.save(tmp_path / "none" / "graph.npz")
    with pytest.raises(FileNotFoundError, match="There is no guidance graph at"):
        mo.GuidanceGraph.load(tmp_path / "graph.npz")


def test_any_cut_of_a_file_is_an_error(graph):
    whole = io.BytesIO()
    graph.write(whole)
    for length in range(0, len(whole.getvalue()), 37):
        with pytest.raises(InvalidGraph, match=r"not a whole guidance graph saved by multiome .*truncated"):
            mo.GuidanceGraph.read(io.BytesIO(whole.getvalue()[:length]))


def test_other_files_are_no_graphs(tmp_path, graph, monkeypatch):
    path = tmp_path / "other"
    for content in (b"", b"chrom,start\n", b"PK\x03\x04", b"\x80\x04."):
        path.write_bytes(content)
        with pytest.raises(
            InvalidGraph, match=r"other is not a whole guidance graph .*no zip archive, or without its end"
        ):
            mo.GuidanceGraph.load(path)
    with path.open("wb") as file:
        np.savez(file, x=np.arange(3))
    with pytest.raises(InvalidGraph, match="not a whole guidance graph"):
        mo.GuidanceGraph.load(path)
    with path.open("wb") as file:
        np.savez(file, text=np.frombuffer(b'{"a": 1}', dtype=np.uint8))
    with pytest.raises(InvalidGraph, match="an archive of arrays, but not a guidance graph"):
        mo.GuidanceGraph.load(path)
    monkeypatch.setattr(archive, "FORMAT", 99)
    graph.save(path, overwrite=True)
    monkeypatch.undo()
    with pytest.raises(InvalidGraph, match=r"format 99, this version of multiome reads up to 2; update multiome"):
        mo.GuidanceGraph.load(path)
