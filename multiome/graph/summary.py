"""What a guidance graph holds, in words."""

from __future__ import annotations

import numpy as np
import pandas as pd

from multiome.errors import listed


def summarise(vertices: pd.MultiIndex, edges: pd.DataFrame, isolated: pd.MultiIndex, report: tuple[str, ...]) -> str:
    """Lines: sizes, edges per pair of modalities with their signs, features without an edge, and the report."""
    lines = [f"GuidanceGraph: {len(vertices):,} vertices, {len(edges):,} edges"]
    modality = pd.Series(vertices.get_level_values("modality"))
    code, keys = pd.factorize(modality)
    pair = code[edges["source"].to_numpy()] * len(keys) + code[edges["target"].to_numpy()]
    positive = edges["sign"].to_numpy() > 0
    for both in np.unique(pair):
        a, b = divmod(int(both), len(keys))
        n, n_positive = int((pair == both).sum()), int(positive[pair == both].sum())
        lines.append(f"  {keys[a]} - {keys[b]}: {n:,} edges, {n_positive:,} positive and {n - n_positive:,} negative")
    alone = isolated.get_level_values("modality")
    for key, n in modality.value_counts(sort=False).items():
        names = isolated[alone == key].get_level_values("feature")
        without = f"{len(names):,} without an edge" + (f" ({listed(names, most=3)})" if len(names) else "")
        lines.append(f"  {key}: {n:,} features, {without}")
    return "\n".join([*lines, *(f"  {sentence}" for sentence in report)])
