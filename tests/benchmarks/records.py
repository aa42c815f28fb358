"""Results as JSON lines: one per task, split, method, seed and settings. Imports nothing heavy: see `run`."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Iterable
from contextlib import suppress
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from tests.benchmarks.catalogue import REPOSITORY
from tests.benchmarks.graph_catalogue import GRAPH_TASKS
from tests.benchmarks.links_catalogue import LINK_TASKS
from tests.benchmarks.panel_catalogue import PANEL_TASKS

Record = dict[str, Any]
OURS = "multiome"
PACKAGES = ("multiome", "torch", "pyro-ppl", "pytorch-lightning", "numpy", "scipy", "scikit-learn", "anndata", "mudata")
MEASURED = REPOSITORY / "tests" / "benchmarks" / "results.jsonl"
"""Test splits with default settings: what the documentation quotes."""
TRIALS = REPOSITORY / "build" / "benchmarks" / "trials.jsonl"
"""Development splits and other settings; not under version control."""


def key(record: Record) -> tuple:
    """What a newer record replaces an older one by."""
    settings = json.dumps(record.get("settings", {}), sort_keys=True)
    return record["task"], record["split"], record["method"], record["seed"], settings


def load(file: Path) -> list[Record]:
    """All records of a file, none where it does not exist."""
    if not file.exists():
        return []
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]


def add(file: Path, new: Iterable[Record]) -> None:
    """Write records, each in place of an older one of the same key."""
    kept = {key(record): record for record in [*load(file), *new]}
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_suffix(".partial")
    partial.write_text("".join(json.dumps(kept[k]) + "\n" for k in sorted(kept, key=str)), encoding="utf-8")
    partial.replace(file)


def machine() -> Record:
    """Where and when something was measured."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "cores": cores,
        "threads": os.environ.get("OMP_NUM_THREADS", "default"),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "packages": versions(),
        "date": date.today().isoformat(),
    }


def versions() -> dict[str, str]:
    """Installed versions of what decides the numbers."""
    found = {}
    for name in PACKAGES:
        with suppress(PackageNotFoundError):  # the repository can be run without installing it
            found[name] = version(name)
    return found


def recipe(task: str) -> str:
    """A digest of everything that a baseline's scores depend on besides the data; another one means measuring again."""
    names = ["tasks", "scores", "baselines"]
    folders = ["metrics"]
    if task in GRAPH_TASKS:
        names += ["graph_tasks", "graph_scores", "graph_baselines"]
        folders += ["graph"]
    if task in PANEL_TASKS:
        names += ["panel_catalogue", "panel_tasks", "panel_baselines"]
        folders += ["graph"]  # which names of proteins mean the same
    if task in LINK_TASKS:
        names += ["links_catalogue", "links_tasks", "links_scores", "links_baselines", "graph_tasks"]
        folders += ["graph"]
    own = [Path(__file__).with_name(f"{name}.py") for name in names]
    own += [REPOSITORY / "multiome" / "data" / "match_proteins.py"] if task in PANEL_TASKS else []
    files = [file for folder in folders for file in sorted((REPOSITORY / "multiome" / folder).glob("*.py"))]
    digest = hashlib.sha256(version("scikit-learn").encode())
    for file in [*own, *files]:
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def has_baselines(records: Iterable[Record], task: str, split: str) -> bool:
    """Whether this task's baselines were measured with the code as it is now."""
    wanted = recipe(task)
    return any(r["task"] == task and r["split"] == split and r.get("recipe") == wanted for r in records)
