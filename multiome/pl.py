"""Plots."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

PALETTE = (
    "#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#ee8866", "#44bb99",
    "#99ddff", "#bbcc33", "#aaaa00", "#882255", "#332288", "#999933", "#cc6677", "#117733",
)  # fmt: skip
"""Tol's colours, which stay apart for colour-blind readers."""
MISSING = "#d8d8d8"


def layout(embedding: Float[np.ndarray, "cell latent"], *, seed: int = 0) -> Float[np.ndarray, "cell 2"]:
    """UMAP coordinates of latent states, for looking at; a row of NaN stays one.

    Parameters
    ----------
    embedding
        Latent states, as from ``model.embed(mdata)``.
    seed
        Same seed, same picture.
    """
    import scanpy as sc

    there = np.isfinite(embedding).all(1)
    cells = sc.AnnData(embedding[there])
    n_threads = torch.get_num_threads()
    try:
        sc.pp.neighbors(cells, n_neighbors=min(15, cells.n_obs - 1), use_rep="X", random_state=seed)
        sc.tl.umap(cells, random_state=seed)
    finally:  # numba sets the number of threads of the whole process, on which the last digits of a later fit depend
        torch.set_num_threads(n_threads)
    points = np.full((len(embedding), 2), np.nan, dtype=np.float32)
    points[there] = cells.obsm["X_umap"]
    return points


def umap(
    points: Float[np.ndarray, "cell 2"],
    obs: pd.DataFrame,
    color: Sequence[str],
    *,
    titles: Sequence[str] | None = None,
    n_columns: int = 2,
) -> Figure:
    """One panel per column of ``obs``, coloured by it: a legend for labels, a colour bar for numbers.

    Parameters
    ----------
    points
        Coordinates, as from `layout`.
    obs
        Annotation of the same cells.
    color
        Columns of ``obs``; cells without a value are grey and lie behind.
    titles
        One per panel, instead of the column names.
    n_columns
        Panels side by side.

    Examples
    --------
    >>> points = layout(model.embed(mdata))  # doctest: +SKIP
    >>> umap(points, mdata.obs, ["cell_type", "batch"]).savefig("umap.png", dpi=150)  # doctest: +SKIP
    """
    names = [name for name in color if name not in obs]
    if names or len(points) != len(obs):
        raise ValueError(
            f"`color` must name columns of `obs` {list(obs.columns)} and `points` have its {len(obs)} rows, "
            f"got {list(color)} and {len(points)} rows."
        )
    n_columns = min(n_columns, len(color))
    n_rows = -(-len(color) // n_columns)
    figure = Figure(figsize=(6.2 * n_columns, 4.4 * n_rows), layout=ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.12))
    panels = figure.subplots(n_rows, n_columns, squeeze=False).ravel()
    order = np.random.default_rng(0).permutation(len(points))  # no group hides another by coming last
    for panel, name, title in zip(panels, color, titles or color, strict=False):
        column = obs[name]
        draw = _numbers if pd.api.types.is_numeric_dtype(column) else _labels
        draw(panel, points[order], column.iloc[order])
        panel.set_title(title, loc="left", fontsize=12)
    for panel in panels:
        panel.set(xticks=[], yticks=[])
        panel.spines[:].set_visible(False)
    for panel in panels[len(color) :]:
        panel.set_visible(False)
    return figure


def evaluation(table: pd.DataFrame, *, scores: Sequence[str] | None = None) -> Figure:
    """Scores of every direction, a dot per method: a panel per score, a line per direction.

    Parameters
    ----------
    table
        As `Multiome.evaluate` returns it, with ``per="all"``.
    scores
        Which, in this order; by default all that several methods have, but for those in units of counts.

    Examples
    --------
    >>> evaluation(model.evaluate(test, reference=train)).savefig("scores.png", dpi=150)  # doctest: +SKIP
    """
    needed = ["source", "target", "method", "score", "value"]
    if not set(needed) <= set(table) or table.duplicated(needed[:4]).any():
        raise ValueError(
            f"`table` must be what `evaluate` returns, one row for each {', '.join(needed[:4])}; it has the columns "
            f"{list(table)}. Plot a table made with per='all'."
        )
    compared = table.groupby("score")["method"].nunique().loc[lambda n: n > 1].index
    if isinstance(scores, str):
        scores = [scores]
    of_counts = ("interval_width", "interval_score")
    by_default = [s for s in table["score"].unique() if s in compared and s not in of_counts]
    chosen = by_default if scores is None else list(scores)
    unknown = [score for score in chosen if score not in set(table["score"])]
    if unknown or not chosen:
        raise ValueError(
            f"`scores` must name some of {list(table['score'].unique())}, got {unknown or chosen}; without a "
            "`reference`, `evaluate` compares no methods."
        )
    parts = {score: table[table["score"] == score] for score in chosen}
    lines = {
        score: list(dict.fromkeys(zip(part["source"], part["target"], strict=True))) for score, part in parts.items()
    }
    n_columns = min(3, len(chosen))
    n_rows = -(-len(chosen) // n_columns)
    height = n_rows * (0.9 + 0.32 * max(map(len, lines.values())))
    figure = Figure(figsize=(4.4 * n_columns, height + 0.4), layout=ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.12))
    panels = figure.subplots(n_rows, n_columns, squeeze=False).ravel()
    methods = list(table["method"].unique())
    for panel, score in zip(panels, chosen, strict=False):
        place = {direction: i for i, direction in enumerate(lines[score])}
        for method, rows in parts[score].groupby("method", sort=False):
            heights = [place[direction] for direction in zip(rows["source"], rows["target"], strict=True)]
            first = method == methods[0]
            colour = PALETTE[methods.index(method)]
            panel.scatter(rows["value"], heights, s=90 if first else 26, color=colour, zorder=2 if first else 3)
        panel.set_yticks(range(len(place)), [f"{source} \N{RIGHTWARDS ARROW} {target}" for source, target in place])
        panel.set_ylim(len(place) - 0.4, -0.6)
        hint = " (small is good)" if score in ("rmse", *of_counts) else ""
        panel.set_title(score + hint, loc="left", fontsize=11)
        panel.grid(axis="y", color=MISSING, linewidth=0.6)
        panel.tick_params(length=0, labelsize=9)
        panel.spines[:].set_visible(False)
    for panel in panels[len(chosen) :]:
        panel.set_visible(False)
    for method in methods:
        panels[0].scatter([], [], s=40, color=PALETTE[methods.index(method)], label=method)
    figure.legend(loc="outside upper left", ncols=len(methods), frameon=False, fontsize=10)
    return figure


def _dots(panel: Axes, points: np.ndarray, shown: np.ndarray, **how: Any) -> PathCollection:
    size = float(np.clip(12_000 / max(len(points), 1), 0.5, 14))
    return panel.scatter(points[shown, 0], points[shown, 1], s=size, linewidths=0, rasterized=True, **how)


def _numbers(panel: Axes, points: np.ndarray, column: pd.Series) -> None:
    value = column.to_numpy(dtype=float)
    known = np.isfinite(value)
    _dots(panel, points, ~known, color=MISSING)
    drawn = _dots(panel, points, known, c=value[known], cmap="viridis")
    bar = panel.figure.colorbar(drawn, cax=panel.inset_axes((1.04, 0.25, 0.03, 0.5)))
    bar.outline.set_visible(False)
    bar.ax.tick_params(length=0, labelsize=9)


def _labels(panel: Axes, points: np.ndarray, column: pd.Series) -> None:
    labels = column.astype("category").cat
    codes = labels.codes.to_numpy()
    _dots(panel, points, codes < 0, color=MISSING)
    colours = [PALETTE[i % len(PALETTE)] for i in range(len(labels.categories))]
    _dots(panel, points, codes >= 0, c=[colours[code] for code in codes[codes >= 0]])
    for label, colour in zip(labels.categories, colours, strict=True):
        panel.scatter([], [], s=36, color=colour, linewidths=0, label=str(label))
    n_columns = 1 + (len(labels.categories) - 1) // 16
    panel.legend(
        loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, fontsize=9, handletextpad=0.2, ncols=n_columns
    )
