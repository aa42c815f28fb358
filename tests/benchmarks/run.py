"""Measure the tasks on real data and print what was reached: ``python -m tests.benchmarks.run --help``.

This process starts another for every task and seed and imports nothing heavy itself: on Linux a child's peak memory
begins at what its parent held.
"""

from __future__ import annotations

import argparse
import ast
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.benchmarks import records
from tests.benchmarks.catalogue import REPOSITORY, TASKS, reason_to_skip
from tests.benchmarks.table import render


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.run", description=__doc__)
    parser.add_argument("--tasks", default=",".join(TASKS), help="comma-separated; default: all of %(default)s")
    parser.add_argument("--seeds", default="0,1,2", help="comma-separated (default: %(default)s)")
    parser.add_argument(
        "--dev", action="store_true", help="score a split inside the training cells instead of the test cells"
    )
    parser.add_argument(
        "--set", nargs="+", default=[], metavar="NAME=VALUE", dest="settings",
        help="other settings of `fit` for a trial, such as `train.max_epochs=5 config.n_latent=16 loss.clip=5`",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, help=f"results (default: {records.MEASURED.relative_to(REPOSITORY)}; "
                        f"of --dev or --set: {records.TRIALS.relative_to(REPOSITORY)})")  # fmt: skip
    given = parser.parse_args(argv)
    given.tasks = given.tasks.split(",")
    for name in given.tasks:
        if name not in TASKS:
            parser.error(f"unknown task {name!r}; there are {', '.join(TASKS)}")
    try:
        given.seeds = [int(seed) for seed in given.seeds.split(",")]
        given.settings = {name: value(text) for name, text in (item.split("=", 1) for item in given.settings)}
    except ValueError as error:
        parser.error(str(error))
    for name in given.settings:
        if name.partition(".")[0] not in ("config", "train", "loss") or "." not in name:
            parser.error(f"{name!r} is none of config.*, train.* and loss.*")
    given.out = (given.out or (records.TRIALS if given.dev or given.settings else records.MEASURED)).resolve()
    return given


def value(text: str) -> Any:
    """A number, a boolean or text."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def start(task: str, out: Path, *options: str) -> bool:
    """Measure in a fresh process; whether it worked."""
    command = [sys.executable, "-m", "tests.benchmarks.measure", task, "--out", str(out), *options]
    began = time.perf_counter()
    worked = subprocess.run(command, cwd=REPOSITORY, check=False).returncode == 0
    print(f"{'done' if worked else 'FAILED'} in {time.perf_counter() - began:.0f} s", flush=True)
    return worked


def main(argv: Sequence[str] | None = None) -> int:
    given = arguments(argv)
    split, dev = ("dev", ["--dev"]) if given.dev else ("test", [])
    failed, measured = 0, []
    for task in given.tasks:
        reason = reason_to_skip(task, dev=given.dev)
        if reason:
            print(f"{task}: skipped, {reason}")
            continue
        measured.append(task)
        apart = TASKS[task].baselines_apart
        if apart and records.has_baselines(records.load(given.out), task, split):
            print(f"{task}: simple methods were measured before")
        elif apart:
            print(f"{task}: simple methods ... ", end="", flush=True)
            failed += not start(task, given.out, *dev)
        for seed in given.seeds:
            print(f"{task}: seed {seed} ... ", end="", flush=True)
            # the page shows those of the first seed
            more = ["--intervals"] if seed == given.seeds[0] and not (given.dev or given.settings) else []
            options = [*dev, *more, "--seed", str(seed), "--set", json.dumps(given.settings)]
            failed += not start(task, given.out, *options)
    measured += [rival for rival in (TASKS[task].beside for task in measured) if rival]
    shown = [
        r
        for r in records.load(given.out)
        if r["task"] in measured and r["split"] == split
        and (r["seed"] is None or (r["settings"] == given.settings and r["seed"] in given.seeds))
    ]  # fmt: skip
    if shown:
        print(f"\n{render(shown)}\n\nResults: {given.out}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
