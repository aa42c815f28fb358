"""`multiome fit --graph`: modalities measured in different cells."""

import mudata as md
import pytest

import multiome as mo
from multiome.cli.files import write


@pytest.fixture
def unpaired(small, tmp_path):
    """RNA of some cells and ATAC of others, and the graph that joins them."""
    sim = small.mdata
    only_rna = sim["rna"][~sim["rna"].obs_names.isin(sim["atac"].obs_names)].copy()
    write(md.MuData({"rna": only_rna, "atac": sim["atac"].copy()}), tmp_path / "unpaired.h5mu")
    mo.GuidanceGraph.from_genome(sim["rna"], sim["atac"], window=100_000).save(tmp_path / "graph.npz")
    return tmp_path


def test_a_saved_graph_joins_modalities_without_a_common_cell(run, unpaired, quickly, capsys):
    fit = f"fit {unpaired}/unpaired.h5mu --out {unpaired}/m.multiome {quickly}"
    assert run(fit) == 1
    assert "share no cell" in capsys.readouterr().err
    assert run(f"{fit} --graph {unpaired}/graph.npz") == 0
    assert "guidance graph: " in capsys.readouterr().out
    assert mo.Multiome.load(unpaired / "m.multiome")._fitted.graph is not None


@pytest.mark.parametrize(("name", "says"), [("absent.npz", "There is no file"), ("unpaired.h5mu", "InvalidGraph")])
def test_a_graph_that_cannot_be_read(run, unpaired, quickly, capsys, name, says):
    line = f"fit {unpaired}/unpaired.h5mu --out {unpaired}/m.multiome --graph {unpaired}/{name} {quickly}"
    assert run(line) in (1, 2)
    assert says in capsys.readouterr().err
    assert not (unpaired / "m.multiome").exists()


def test_the_graph_that_is_read_is_not_written_over(run, unpaired, quickly, capsys):
    graph = unpaired / "graph.npz"
    before = graph.read_bytes()
    assert run(f"fit {unpaired}/unpaired.h5mu --graph {graph} --out {graph} --overwrite true {quickly}") == 2
    assert str(graph) in capsys.readouterr().err
    assert graph.read_bytes() == before
