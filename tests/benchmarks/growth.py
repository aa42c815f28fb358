"""What a training step costs with more of everything: ``python -m tests.benchmarks.growth``.

From one size (4,000 cells of 10,000 genes and 50,000 peaks, of which 1,000 and 2,000 are seen per cell, no graph) the
number of cells, of peaks, of values per cell and of a graph's edges grow one at a time; counts and edges are random.
Each size is a process of its own with one thread. ``--plot FILE`` draws what was measured, beside it what
`tests.benchmarks.scale` found of cells on disk.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tests.benchmarks import records
from tests.benchmarks.apart import apart
from tests.benchmarks.catalogue import REPOSITORY

MEASURED = REPOSITORY / "tests" / "benchmarks" / "speed.jsonl"
"""What the documentation quotes and draws."""
BASE = {"cells": 4_000, "peaks": 50_000, "seen": 3_000, "edges": 0}
"""``seen``: values per cell, a third of them of genes."""
GROWN: Mapping[str, Sequence[int]] = {
    "cells": (2_000, 4_000, 16_000),
    "peaks": (5_000, 15_000, 50_000, 150_000),
    "seen": (300, 1_000, 3_000, 9_000),
    "edges": (0, 10_000, 100_000, 1_000_000),
}
N_GENES, N_EPOCHS, N_STEPS = 10_000, 3, 40
"""At least so many epochs and steps."""
N_FIRST = 3
"""Steps that are not counted: they also allocate memory."""
TASK = "growth"


def measure(cells: int, peaks: int, seen: int, edges: int) -> dict[str, float]:
    """The median CPU seconds of a step, and the most memory held until training ends; what follows it is left out."""
    import multiome as mo
    from tests.benchmarks import cost
    from tests.benchmarks.clock import timed_training
    from tests.benchmarks.measure import peak_gb

    warnings.simplefilter("ignore")
    mdata = cost.cells(cells, {"rna": N_GENES, "atac": peaks}, seen={"rna": seen // 3, "atac": seen - seen // 3})
    graph = cost.random_graph(mdata, edges) if edges else None
    before = peak_gb()
    n_epochs = max(N_EPOCHS, -(-N_STEPS * 256 // cells))
    with timed_training() as times:
        mo.fit(mdata, graph=graph, train=mo.TrainConfig(max_epochs=n_epochs, n_models=1, progress_bar=False), seed=0)
    steps = np.concatenate([np.diff(epoch, axis=0)[:, 1] for epoch in times.epochs])[N_FIRST:]
    return {
        "step_cpu_seconds": float(np.median(steps)),
        "peak_gb": peak_gb(),
        "before_gb": before,
    }


def sizes(axes: Sequence[str]) -> list[dict[str, int]]:
    """Each once, from the base outward."""
    found: list[dict[str, int]] = []
    for axis in axes:
        for n in GROWN[axis]:
            size = BASE | {axis: n}
            if size not in found:
                found.append(size)
    return found


def table(found: Sequence[tuple[Mapping[str, int], Mapping[str, float]]]) -> str:
    """One row per size."""
    return "\n".join(
        [
            "| cells | peaks | values per cell | edges | CPU seconds per step | cells per second | GB |",
            "|---|---|---|---|---|---|---|",
            *(
                f"| {' | '.join(f'{size[axis]:,}' for axis in BASE)} | {m['step_cpu_seconds']:.3f} | "
                f"{256 / m['step_cpu_seconds']:,.0f} | {m['peak_gb']:.2f} |"
                for size, m in found
            ),
        ]
    )


def plot(found: Sequence[records.Record], path: Path) -> None:
    """CPU time of a step along each axis, and memory and speed with the number of cells on disk."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 5.6), layout="constrained")
    axes = figure.subplots(2, 3)
    labels = {"cells": "cells in memory", "peaks": "peaks", "seen": "values per cell", "edges": "edges of the graph"}
    grown = [(r["settings"], r["scores"]) for r in found if r["task"] == TASK]
    for (axis, label), ax in zip(labels.items(), axes.flat[:4], strict=True):
        of = sorted(
            (size[axis], 1e3 * scores["step_cpu_seconds"])
            for size, scores in grown
            if all(size[other] == BASE[other] for other in BASE if other != axis)
        )
        if not of:
            continue
        ax.plot(*zip(*of, strict=True), marker="o", color="#4477aa")
        ax.set_xscale("symlog" if axis == "edges" else "log", **({"linthresh": 1e4} if axis == "edges" else {}))
        ax.set(xlabel=label, ylabel="CPU ms per step of 256 cells", ylim=(0, 1.15 * max(ms for _, ms in of)))
    whole = {"suffix": ".h5mu", "compression": None, "translate": None, "only_steps": False}
    disk = [r for r in found if r["task"] == "scale" and whole.items() <= r["settings"].items()]
    for name, label, ax in (
        ("peak_gb", "peak memory, GB", axes.flat[4]),
        ("cells_per_second", "cells per second of training", axes.flat[5]),
    ):
        for in_memory, colour in ((False, "#4477aa"), (True, "#ee6677")):
            of = sorted(
                (r["settings"]["cells"], r["scores"][name]) for r in disk if r["settings"]["in_memory"] is in_memory
            )
            if of:
                told = "in memory" if in_memory else "on disk (.h5mu)"
                ax.plot(*zip(*of, strict=True), marker="o", color=colour, label=told, linestyle="-")
        ax.set_xscale("log")
        highest = max([1e-9, *(value for line in ax.lines for value in line.get_ydata())])
        ax.set(xlabel="cells", ylabel=label, ylim=(0, 1.15 * highest))
        if ax.lines:
            ax.legend(frameon=False)
    for ax in axes.flat:
        ax.spines[["top", "right"]].set_visible(False)
        at = sorted({x for line in ax.lines for x in line.get_xdata()})
        ax.set_xticks(at, [f"{x:,.0f}" for x in at], fontsize=8)
        ax.minorticks_off()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.growth", description=__doc__)
    parser.add_argument("--axes", nargs="+", choices=list(GROWN), default=list(GROWN), help="default: all")
    parser.add_argument("--one", type=json.loads, help="measure this size, and print JSON")
    parser.add_argument("--out", type=Path, default=MEASURED, help="records (default: %(default)s)")
    parser.add_argument("--plot", type=Path, help="draw the records instead")
    given = parser.parse_args(argv)
    if given.one:
        print(json.dumps(measure(**given.one)))
        return
    if given.plot:
        plot(records.load(given.out), given.plot)
        return
    found = []
    for size in sizes(given.axes):
        scores = in_its_own_process(size)
        found.append((size, scores))
        about = {"task": TASK, "split": "cost", "method": records.OURS, "seed": 0, "machine": machine()}
        records.add(given.out, [about | {"settings": size, "scores": scores}])
    print(table(found))


def machine() -> records.Record:
    """Where and when, with the one thread of each process."""
    return records.machine() | {"threads": "1"}


def in_its_own_process(size: Mapping[str, int]) -> Any:
    """What one thread measures of a size."""
    command = [sys.executable, "-m", "tests.benchmarks.growth", "--one", json.dumps(size)]
    return apart(command, os.environ | {"OMP_NUM_THREADS": "1"})


if __name__ == "__main__":
    main()
