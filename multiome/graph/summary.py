"""What a guidance graph holds, in words."""

from __future__ import annotations

import pandas as pd

from multiome.errors import listed


def summarise(vertices: pd.MultiIndex, edges: pd.DataFrame, isolated: pd.MultiIndex, report: tuple[str, ...]) -> str:
    """Lines: sizes, edges per pair of modalities with their signs, features without an edge, and the report."""
    lines = [f"GuidanceGraph: {len(vertices):,} vertices, {len(edges):,} edges"]
    modality = pd.Series(vertices.get_level_values("modality"))
    pairs = pd.DataFrame(
        {
            "a": modality.to_numpy()[edges["source"]],
            "b": modality.to_numpy()[edges["target"]],
            "positive": edges["sign"].to_numpy() > 0,
        }
    )
    for (a, b), positive in pairs.groupby(["a", "b"], sort=False)["positive"]:
        n_positive = int(positive.sum())
        lines.append(
            f"  {a} - {b}: {len(positive):,} edges, {n_positive:,} positive and {len(positive) - n_positive:,} negative"
        )
    alone = isolated.get_level_values("modality")
    for key, n in modality.value_counts(sort=False).items():
        names = isolated[alone == key].get_level_values("feature")
        without = f"{len(names):,} without an edge" + (f" ({listed(names, most=3)})" if len(names) else "")
        lines.append(f"  {key}: {n:,} features, {without}")
    return "\n".join([*lines, *(f"  {sentence}" for sentence in report)])
