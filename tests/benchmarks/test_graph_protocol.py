"""Tasks without pairing are those of the comparison protocol, where that is there, and so are their scores."""

import numpy as np
import pytest

from multiome.metrics import clusters
from tests.benchmarks import graph_scores, graph_tasks
from tests.benchmarks.catalogue import TASKS
from tests.benchmarks.graph_catalogue import SHARES
from tests.benchmarks.test_protocol import protocol as protocol


@pytest.mark.parametrize("dev", [True, False])
def test_withheld_pairing_is_the_protocols(protocol, bench_data, dev):
    bench_data(TASKS["snare_unpaired"].file)
    theirs, ours = (
        protocol.snare_unpaired("dev" if dev else "test"),
        graph_tasks.snare_unpaired("snare_unpaired", dev=dev),
    )
    assert list(ours.mods) == ["rna", "atac"]
    for mod in ours.mods:
        a, b = getattr(theirs, mod), ours.mods[mod]
        assert list(a.obs_names) == list(b.obs_names)
        assert (a.X != b.X).nnz == 0
    np.testing.assert_array_equal(theirs.order, ours.order)


@pytest.mark.parametrize("share", SHARES)
def test_partial_pairing_is_the_protocols(protocol, bench_data, share):
    bench_data(TASKS["snare_unpaired"].file)
    (theirs, rows), ours = protocol.snare_partial(float(share)), graph_tasks.snare_partial(f"snare_partial_{share}")
    np.testing.assert_array_equal(theirs.test, ours.task.test)
    assert rows.keys() == ours.rows.keys()
    for group in rows:
        np.testing.assert_array_equal(rows[group], ours.rows[group])


def test_partial_pairing_of_the_development_split(bench_data):
    bench_data(TASKS["snare_unpaired"].file)
    task = graph_tasks.snare_partial("snare_partial_0.3", dev=True)
    groups = [set(rows) for rows in task.rows.values()]
    assert set.union(*groups) == set(np.flatnonzero(task.task.train))
    assert sum(map(len, groups)) == task.task.train.sum()
    assert [round(len(rows) / task.task.train.sum(), 2) for rows in groups] == [0.3, 0.35, 0.35]
    mdata = task.mdata()
    assert mdata["rna"].n_obs + mdata["atac"].n_obs == mdata.n_obs + len(groups[0])
    scored = graph_tasks.snare_partial("snare_partial_0.3").task
    assert set(scored.part("rna", "test").obs_names).isdisjoint(task.task.mods["rna"].obs_names)


def test_unpaired_scores_are_the_protocols(protocol):
    rng = np.random.default_rng(0)
    labels = np.array(["a", "b", "Mis"])[rng.integers(0, 3, 90)]
    z, order = rng.normal(size=(90, 4)) + (labels == "a")[:, None] * 3, rng.permutation(90)
    other = np.empty_like(z)
    other[order] = z + rng.normal(size=z.shape)
    truth = np.empty_like(labels)
    truth[order] = labels

    class Task(graph_tasks.Unpaired):
        def labels(self, mod):
            return {"rna": labels, "atac": truth}[mod]

    found = graph_scores.unpaired(Task("", {"rna": None, "atac": None}, None, order), z, other)
    assert found["foscttm"] == pytest.approx(protocol.foscttm(z, other[order]))
    for name, value in protocol.label_transfer(z, labels, other, truth).items():
        assert found[name] == pytest.approx(value)
    together, both = np.vstack([z, other]), np.concatenate([labels, truth])
    assert {name: found[name] for name in ("ari", "nmi")} == pytest.approx(protocol.clusters(together, both))
    assert clusters(together, both)["ari"] == found["ari"]
