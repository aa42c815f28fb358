"""The demo's scores as a table to read."""

from __future__ import annotations

from collections.abc import Sequence

from multiome.cli.demo_scores import BASELINE_METHODS, METHODS, Score

HEADINGS = dict(zip(METHODS, ("mean", "kNN", "PCA", "one assay", "all assays", "best possible"), strict=True))
LEGEND = """
Every prediction is scored on cells from which the modality was withheld, against what was measured there.
  mean, kNN      baselines: mean of the cells that have both modalities; of the 30 of them nearest in the first one
  PCA            50 principal components of RNA
  one assay      multiome, shown the first modality only, as the baselines are
  all assays     multiome, shown everything else that was measured in the cell
  best possible  a prediction that knows the simulated state, batch and depth of every cell
  RMSE and FOSCTTM (share of cells closer than the true partner; chance 0.5): smaller is better; all else: larger is.
  * the best of a row; intervals are right at 0.90.""".strip("\n")


def table(scores: Sequence[Score]) -> str:
    """The scores grouped by task, the best of each row marked, and what the marks and columns mean."""
    lines = [f"{'':30}{'cells':>7}" + "".join(f"{title:>14}" for title in HEADINGS.values())]
    task = None
    for score in scores:
        if score.task != task:
            task = score.task
            lines += ["", task[0].upper() + task[1:]]
        cells = "".join(f"{cell(score, name):>14}" for name in HEADINGS)
        lines.append(f"  {score.score:28}{score.n_cells:>7,}{cells}")
    compared = [score for score in scores if score.winners]
    lost = [f"{score.task}, {score.score}" for score in compared if score.winners <= BASELINE_METHODS]
    verdict = f"A baseline is best in {len(lost)} of {len(compared)} rows"
    return "\n".join([*lines, "", LEGEND, "", verdict + (":" if lost else "."), *(f"  {row}" for row in lost)])


def cell(score: Score, method: str) -> str:
    """A value, marked where it is the best of its row; the blank keeps the decimal points in line."""
    if method not in score.values:
        return "– "
    return f"{score.values[method]:.3f}{'*' if method in score.winners else ' '}"
