import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.colors import to_rgba

from multiome.pl import MISSING, evaluation, layout, umap


@pytest.fixture
def obs():
    return pd.DataFrame(
        {
            "cell_type": pd.Categorical(["b", "a", None, "b", "a", "a"]),
            "pseudotime": [0.0, 0.5, np.nan, 1.0, 0.2, 0.3],
        }
    )


@pytest.fixture
def points():
    return np.arange(12, dtype=np.float32).reshape(6, 2)


def test_layout_leaves_the_number_of_threads_alone():
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        layout(np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32))
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)


def test_layout_keeps_groups_apart_and_is_repeatable():
    rng = np.random.default_rng(0)
    z = rng.normal(0, 0.1, (60, 4)).astype(np.float32)
    z[30:] += 5
    z[3] = np.nan
    found = layout(z)
    assert found.shape == (60, 2)
    assert np.isnan(found[3]).all()
    a, b = np.delete(found[:30], 3, axis=0), found[30:]
    within = max(np.linalg.norm(g - g.mean(0), axis=1).max() for g in (a, b))
    assert np.linalg.norm(a.mean(0) - b.mean(0)) > within
    np.testing.assert_array_equal(found, layout(z))


def test_every_cell_is_drawn_in_its_colour(points, obs):
    figure = umap(points, obs, ["cell_type", "pseudotime"], titles=["Type", "Time"])
    types, times = figure.axes[:2]
    assert [panel.get_title(loc="left") for panel in (types, times)] == ["Type", "Time"]
    for panel in (types, times):
        drawn = np.concatenate([dots.get_offsets() for dots in panel.collections])
        assert sorted(map(tuple, drawn.tolist())) == sorted(map(tuple, points.tolist()))
        assert panel.collections[0].get_offsets().tolist() == [[4, 5]]  # no value: grey, behind the others
        assert tuple(panel.collections[0].get_facecolor()[0]) == to_rgba(MISSING)
    assert sorted(times.collections[1].get_array()) == [0, 0.2, 0.3, 0.5, 1]

    legend = types.get_legend()
    names = [text.get_text() for text in legend.get_texts()]
    assert names == ["a", "b"]
    colour = {n: h.get_facecolor()[0] for n, h in zip(names, legend.legend_handles, strict=True)}
    dots = types.collections[1]
    for point, drawn in zip(dots.get_offsets().tolist(), dots.get_facecolor(), strict=True):
        np.testing.assert_array_equal(drawn, colour[obs["cell_type"].iloc[int(point[0] / 2)]])


def test_legend_stands_outside_the_cells(points, obs):
    figure = umap(points, obs, ["cell_type"])
    figure.canvas.draw()
    panel = figure.axes[0]
    legend = panel.get_legend().get_window_extent()
    assert legend.x0 >= panel.get_window_extent().x1
    assert legend.x1 <= figure.bbox.x1


def test_unknown_column_is_named(points, obs):
    with pytest.raises(ValueError, match="donor"):
        umap(points, obs, ["donor"])
    with pytest.raises(ValueError, match="6 rows"):
        umap(points[:3], obs, ["cell_type"])


@pytest.fixture
def scores():
    """Two directions, three methods."""
    rows = [
        (source, "prot", method, score, value + (source == "rna"))
        for source in ("rna", "atac")
        for score in ("feature_r", "rmse")
        for method, value in (("multiome", 0.6), ("mean", 0.0), ("ridge", 0.5))
    ]
    rows.append(("rna", "prot", "multiome", "pit_covered", 0.9))
    return pd.DataFrame(rows, columns=["source", "target", "method", "score", "value"])


def test_every_score_that_can_be_compared_has_its_panel(scores):
    panels = [panel for panel in evaluation(scores).axes if panel.get_visible()]
    assert [panel.get_title(loc="left") for panel in panels] == ["feature_r", "rmse (small is good)"]
    for panel in panels:
        assert [label.get_text() for label in panel.get_yticklabels()] == [
            "rna \N{RIGHTWARDS ARROW} prot",
            "atac \N{RIGHTWARDS ARROW} prot",
        ]
        drawn = np.concatenate([dots.get_offsets() for dots in panel.collections if len(dots.get_offsets())])
        assert sorted(map(tuple, drawn.round(6).tolist())) == sorted(
            [(value + 1, 0) for value in (0.0, 0.5, 0.6)] + [(value, 1) for value in (0.0, 0.5, 0.6)]
        )


def test_scores_are_chosen_by_name(scores):
    assert [panel.get_title(loc="left") for panel in evaluation(scores, scores="rmse").axes] == ["rmse (small is good)"]
    with pytest.raises(ValueError, match=r"must name some of \['feature_r', 'rmse', 'pit_covered'\], got \['r2'\]"):
        evaluation(scores, scores=["r2"])
    with pytest.raises(ValueError, match="without a `reference`, `evaluate` compares no methods"):
        evaluation(scores[scores["method"] == "multiome"])
    with pytest.raises(ValueError, match="made with per='all'"):
        evaluation(pd.concat([scores, scores]))
