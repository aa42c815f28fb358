"""Measure one task in this process: ``python -m tests.benchmarks.measure snare_paired --seed 0 --out results.jsonl``.

`run` starts one such process for every task and seed, so that the peak memory is that of one fit.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import mudata as md

import multiome as mo
from tests.benchmarks import records
from tests.benchmarks.catalogue import TASKS
from tests.benchmarks.steps import STEPS

SMALL_PROCESS = 0.1
"""GB; what holds less has not imported torch."""


class Stopwatch:
    """`mo.fit` with these settings, unless a task says others; seconds and peak memory of the first fit are noted.

    Memory of processes that train side by side is added up, also what they share: an upper bound.
    """

    def __init__(self, settings: dict[str, Any], seed: int) -> None:
        self.seed = seed
        chosen: dict[str, dict[str, Any]] = {"config": {}, "train": {"progress_bar": False}, "loss": {}}
        for name, value in settings.items():
            group, _, field = name.partition(".")
            chosen[group][field] = value
        self.arguments = {
            "config": mo.ModelConfig(**chosen["config"]),
            "train": mo.TrainConfig(**chosen["train"]),
            "loss": mo.LossWeights(**chosen["loss"]),
        }
        self.facts: dict[str, float] = {}

    def fit(self, mdata: md.MuData, **kwargs: Any) -> mo.Multiome:
        before = peak_gb()
        start, busy = time.perf_counter(), cpu_seconds()
        model = mo.fit(mdata, seed=self.seed, **(self.arguments | kwargs))
        facts = {
            "start_gb": before,
            "fit_seconds": time.perf_counter() - start,
            "fit_cpu_seconds": cpu_seconds() - busy,
            "peak_gb": peak_gb() + self.n_beside(model) * peak_gb(resource.RUSAGE_CHILDREN),
            "epochs": int(model.history["epoch"].nunique()),
        }
        self.facts = self.facts or facts
        return model

    def n_beside(self, model: mo.Multiome) -> int:
        """Processes that have trained a model each at the same time, beside this one."""
        n_models = 1 + len(model._fitted.others)
        return n_models if peak_gb(resource.RUSAGE_CHILDREN) > SMALL_PROCESS else 0


def cpu_seconds() -> float:
    """Of this process and of those that it has started."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def peak_gb(who: int = resource.RUSAGE_SELF) -> float:
    """Most memory that this process, or the largest of those that it has started, has held, in GB."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(who).ru_maxrss * unit / 1e9


def measure(
    name: str,
    *,
    seed: int | None,
    dev: bool = False,
    settings: dict[str, Any] | None = None,
    intervals: bool = False,
) -> list[dict]:
    """Records of one fit, or of all baselines where ``seed`` is None; with ``intervals`` those of its scores, too."""
    steps, info = STEPS[name], TASKS[name]
    if seed is None and steps.baselines is None:
        raise ValueError(f"{name!r} has no simple methods that are measured by themselves; give a seed.")
    how: dict[str, Any] = ({"dev": dev} if info.dev else {}) | ({"seed": seed} if info.file is None else {})
    task = steps.load(name, **how)
    about = {"task": name, "split": "dev" if dev else "test"}
    if seed is None:
        return [
            about | {"method": method, "seed": None, "scores": found, "recipe": records.recipe(name)}
            for method, found in steps.baselines(task).items()
        ]
    watch = Stopwatch(settings or {}, seed)
    found, more = steps.ours(task, watch.fit)
    beside, resample = more.pop("beside", {}), more.pop("intervals", None)
    if intervals and resample is not None:
        more["intervals"] = resample()
    about |= {"seed": seed, "settings": settings or {}}
    mine = {"method": records.OURS, "scores": found | watch.facts, "machine": records.machine()}
    return [about | mine | more, *(about | {"method": m, "scores": simple} for m, simple in beside.items())]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("task", choices=TASKS)
    parser.add_argument("--seed", type=int, help="fit with this seed; without it, the baselines are measured")
    parser.add_argument("--dev", action="store_true")
    parser.add_argument("--intervals", action="store_true", help="bootstrap intervals, too: half an hour of some")
    parser.add_argument("--set", dest="settings", default="{}", help="other settings, as JSON")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    # What every `MuData(...)` announces of mudata 0.4; what `multiome` has to say stays visible.
    warnings.filterwarnings("ignore", module="mudata")
    settings = json.loads(given.settings)
    how = {"dev": given.dev, "settings": settings, "intervals": given.intervals}
    records.add(given.out, measure(given.task, seed=given.seed, **how))


if __name__ == "__main__":
    main()
