"""Results as Markdown: ``python -m tests.benchmarks.table`` writes them between the markers of docs/benchmarks.md."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean, stdev

from tests.benchmarks import records
from tests.benchmarks.catalogue import REPOSITORY, TASKS
from tests.benchmarks.goals import BEHIND, BEST, Goal, TaskInfo
from tests.benchmarks.records import OURS, Record

START, END = "<!-- table:start -->", "<!-- table:end -->"
PAGE = REPOSITORY / "docs" / "benchmarks.md"
Values = dict[str, dict[str, list[float]]]
"""Method -> score -> one value per seed."""


def rival_name(info: TaskInfo) -> str:
    """What stands beside ours in the main table."""
    return f"`{info.beside}`" if info.beside else "best simple method"


def by_method(found: Sequence[Record]) -> Values:
    """The records of one task."""
    values: Values = {}
    for record in found:
        scores = values.setdefault(record["method"], {})
        for name, value in record["scores"].items():
            scores.setdefault(name, []).append(value)
    return values


def best_baseline(values: Values, goal: Goal) -> tuple[str, float] | None:
    """The simple method with the best score, and that score."""
    rivals = [(m, mean(s[goal.score])) for m, s in values.items() if m != OURS and goal.score in s]
    return (min if goal.lower else max)(rivals, key=lambda rival: rival[1], default=None)


def bar(values: Values, goal: Goal) -> float | None:
    """The value to reach, None where there is none or its baseline was not measured."""
    if goal.over is None:
        return goal.reach
    if goal.over == BEST:
        best = best_baseline(values, goal)
        return None if best is None else best[1]
    beside = values.get(goal.over, {}).get(goal.score)
    if beside is None:
        return None
    margin = goal.margin or 0.0
    return mean(beside) - margin if goal.lower else mean(beside) + margin


def reached(values: Values, goal: Goal) -> bool | None:
    """Whether the mean over seeds is there; None where there is nothing to reach or no measurement."""
    found, wanted = values.get(OURS, {}).get(goal.score), bar(values, goal)
    if not found or wanted is None:
        return None
    ahead = wanted - mean(found) if goal.lower else mean(found) - wanted
    strict = goal.over is not None and goal.margin is None
    return ahead > 0 if strict else ahead >= 0


def intervals_beside(info: TaskInfo, found: Sequence[Record]) -> list[str]:
    """Bootstrap intervals of the scores, and of the paired difference to a baseline."""
    seed, intervals = next(((r["seed"], r["intervals"]) for r in found if "intervals" in r), (None, {}))
    if not intervals or info.two_ahead is not None:
        return []
    goals = list({goal.score: goal for goal in reversed(info.goals) if goal.score in intervals[OURS]}.values())[::-1]
    if not goals:
        return []
    return [f"95 % intervals, bootstrap over cells, of seed {seed}:", "", *interval_table(intervals, goals)]


def two_ahead(info: TaskInfo, found: Sequence[Record], values: Values) -> list[str]:
    """Whether two scores beat every simple method and the third lies little behind the best, and the intervals."""
    goals = [goal for goal in info.goals if goal.over == BEST and bar(values, goal) is not None]
    if info.two_ahead is None or not goals:
        return []
    missed = [goal for goal in goals if not reached(values, goal)]
    holds = len(missed) <= 1 and all(behind(values, goal) <= BEHIND for goal in missed)
    intervals = next((r["intervals"] for r in found if "intervals" in r), {})
    return [
        f"Enough: better than every simple method in two of the three, at most {BEHIND:.0%} behind the best in the "
        f"third. Reached: {'yes' if holds else '**no**'}. Intervals (95 %, bootstrap over cells within folds; of the "
        f"first seed, and of the paired difference):",
        "",
        *interval_table(intervals, goals),
    ]


def behind(values: Values, goal: Goal) -> float:
    """How much worse than what is to be reached, as a share of that; negative where it is better."""
    wanted, found = bar(values, goal), mean(values[OURS][goal.score])
    assert wanted is not None
    return (found - wanted if goal.lower else wanted - found) / abs(wanted)


def interval_table(intervals: Mapping[str, Mapping[str, Sequence[float]]], goals: Sequence[Goal]) -> list[str]:
    """One row per method."""
    rows = [
        f"| {method} | {' | '.join(ends(spans.get(g.score)) for g in goals)} |" for method, spans in intervals.items()
    ]
    return [f"| method | {' | '.join(g.title for g in goals)} |", "|---" * (len(goals) + 1) + "|", *rows, ""]


def ends(span: Sequence[float] | None) -> str:
    """Of an interval."""
    return "–" if span is None else f"{span[0]:.4f} to {span[1]:.4f}"


def text(values: Sequence[float] | None, digits: int) -> str:
    """Mean, and standard deviation over seeds."""
    if not values:
        return "–"
    spread = f" ± {stdev(values):.{digits}f}" if len(values) > 1 else ""
    return f"{mean(values):.{digits}f}{spread}"


def goal_row(values: Values, goal: Goal) -> str:
    """One line of the main table."""
    best, wanted, holds = best_baseline(values, goal), bar(values, goal), reached(values, goal)
    sign = "≤" if goal.lower else "≥"
    if goal.over is not None and goal.margin is None:
        sign = "<" if goal.lower else ">"
    reach = "–" if wanted is None else f"{sign} {wanted:.{goal.digits}f}"
    if goal.over is not None and wanted is not None:
        rival = best[0] if goal.over == BEST and best is not None else goal.over
        reach += f" ({rival}{f' + {goal.margin:g}' if goal.margin else ''})"
    cells = [
        goal.title,
        text(values.get(OURS, {}).get(goal.score), goal.digits),
        "–" if best is None else f"{best[1]:.{goal.digits}f} ({best[0]})",
        reach,
        {True: "yes", False: "**no**", None: ""}[holds],
    ]
    return f"| {' | '.join(cells)} |"


def baseline_table(values: Values, goals: Sequence[Goal]) -> list[str]:
    """Every simple method beside ours."""
    shown = [g for g in goals if any(g.score in s for m, s in values.items() if m != OURS)]
    if not shown:
        return []
    lines = [f"| method | {' | '.join(g.title for g in shown)} |", "|---" * (len(shown) + 1) + "|"]
    for method in sorted(values, key=lambda m: (m == OURS, m)):
        cells = [f"{mean(values[method][g.score]):.{g.digits}f}" if g.score in values[method] else "–" for g in shown]
        lines.append(f"| {method} | {' | '.join(cells)} |")
    return ["<details><summary>Every simple method</summary>", "", *lines, "", "</details>", ""]


def render(found: Sequence[Record]) -> str:
    """All tasks of these records, which must be of one split and of the same settings."""
    blocks = []
    for name, info in TASKS.items():
        mine = [record for record in found if record["task"] == name]
        values = by_method(mine)
        if OURS not in values:
            continue
        if info.beside:
            rivals = [record for record in found if record["task"] == info.beside and record["method"] == OURS]
            values[info.beside] = by_method(rivals).get(OURS, {})
        inside = " (here: the development split)" if mine[0]["split"] == "dev" else ""
        seeds = sorted(r["seed"] for r in mine if r["method"] == OURS)
        lines = [
            f"### {name}",
            "",
            f"{info.what}{inside}; seeds {', '.join(map(str, seeds))}.",
            "",
            f"| score | multiome | {rival_name(info)} | to reach | reached |",
            "|---|---|---|---|---|",
            *(goal_row(values, goal) for goal in info.goals),
            "",
        ]
        blocks += [*lines, *intervals_beside(info, mine), *two_ahead(info, mine, values)]
        if not info.beside:
            blocks += baseline_table(values, info.goals)
    return "\n".join([*blocks, *facts(found)])


def facts(found: Sequence[Record]) -> list[str]:
    """Where and when, one line for each machine."""
    lines: dict[str, set[str]] = {}
    for machine in (r["machine"] for r in found if "machine" in r):
        packages = ", ".join(f"{name} {version}" for name, version in machine["packages"].items())
        threads = f"{machine['cores']} CPU cores (threads: {machine['threads']})"
        lines.setdefault(f"{threads}, {machine['system']}, Python {machine['python']}, {packages}", set()).add(
            machine["date"]
        )
    return [f"Measured {', '.join(sorted(dates))} on {where}." for where, dates in lines.items()]


def write(page: Path, content: str) -> None:
    """Put the tables between the markers of a page."""
    before, start, rest = page.read_text(encoding="utf-8").partition(START)
    _, end, after = rest.partition(END)
    if not (start and end):
        raise ValueError(f"`{page}` has no `{START}` followed by `{END}` to write between.")
    page.write_text(f"{before}{START}\n\n{content.strip()}\n\n{END}{after}", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", nargs="?", type=Path, default=records.MEASURED)
    parser.add_argument("--page", type=Path, default=PAGE)
    given = parser.parse_args()
    found = [r for r in records.load(given.results) if r["split"] == "test" and not r.get("settings")]
    if not any(r["method"] == OURS for r in found):
        parser.error(f"{given.results} holds no test results with default settings; `make bench` measures them.")
    write(given.page, render(found))


if __name__ == "__main__":
    main()
