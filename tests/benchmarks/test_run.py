"""Records replace each other, goals are judged as stated, tables land between markers, absent data are a reason."""

import pytest

from tests.benchmarks import catalogue, measure, records, run, table
from tests.benchmarks.catalogue import TASKS
from tests.benchmarks.goals import Goal


def record(method="multiome", seed=0, task="bmmc_cite", **scores):
    machine = {"cores": 2, "threads": "default", "system": "s", "python": "3", "packages": {}, "date": "2026-01-01"}
    about = {"task": task, "split": "test", "method": method, "seed": seed, "settings": {}}
    return about | {"scores": scores, "machine": machine}


def test_newer_records_replace_older_ones(tmp_path):
    file = tmp_path / "deep" / "results.jsonl"
    records.add(file, [record(rmse=2.0), record(seed=1, rmse=3.0)])
    records.add(file, [record(rmse=1.0)])
    assert [r["scores"]["rmse"] for r in records.load(file)] == [1.0, 3.0]
    assert not records.has_baselines(records.load(file), "bmmc_cite", "test")
    records.add(file, [record("ridge", seed=None, rmse=1.0) | {"recipe": records.recipe("bmmc_cite")}])
    assert records.has_baselines(records.load(file), "bmmc_cite", "test")
    assert not records.has_baselines(records.load(file), "bmmc_cite", "dev")


@pytest.mark.parametrize(
    ("goal", "found", "expected"),
    [
        (Goal(score="s", title="", reach=0.5), 0.5, True),
        (Goal(score="s", title="", reach=0.5, lower=True), 0.51, False),
        (Goal(score="s", title="", over="ridge"), 0.4, False),  # as good is not better
        (Goal(score="s", title="", over="ridge", lower=True), 0.39, True),
        (Goal(score="s", title="", over="ridge", margin=0.0), 0.4, True),
        (Goal(score="s", title="", over="ridge", margin=0.1), 0.49, False),
        (Goal(score="s", title="", over="absent"), 0.9, None),
        (Goal(score="s", title=""), 0.9, None),
    ],
)
def test_goals(goal, found, expected):
    assert table.reached({"multiome": {"s": [found]}, "ridge": {"s": [0.4]}}, goal) is expected


def test_intervals_stand_beside_the_scores():
    spans = {"feature_r": [0.5, 0.7], "cell_r": [0.7, 0.9], "rmse": [0.75, 0.9]}
    found = [record(feature_r=0.7, cell_r=0.9, rmse=0.8) | {"intervals": {"multiome": spans, "mlp x 5": spans}}]
    lines = table.intervals_beside(TASKS["bmmc_cite"], found)
    assert lines[-2] == "| mlp x 5 | 0.5000 to 0.7000 | 0.7000 to 0.9000 | 0.7500 to 0.9000 |"
    assert table.intervals_beside(TASKS["bmmc_cite"], [record(rmse=0.8)]) == []
    assert table.intervals_beside(TASKS["snare_paired"], found) == []


def test_table_lands_between_its_markers(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(f"before\n{table.START}\nold\n{table.END}\nafter\n")
    seeds = [record(seed=s, rmse=r, feature_r=0.6, cell_r=0.8) for s, r in enumerate((0.1, 0.2, 0.3))]
    found = [*seeds, record("ridge", seed=None, feature_r=0.5, cell_r=0.9, rmse=0.7)]
    for _ in range(2):
        table.write(page, table.render(found))
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")
    assert "| RMSE | 0.2000 ± 0.1000 | 0.7000 (ridge) | ≤ 0.8200 | yes |" in text
    assert "| r per cell | 0.8000 ± 0.0000 | 0.9000 (ridge) | ≥ 0.8550 | **no** |" in text
    assert "old" not in text
    page.write_text("no markers")
    with pytest.raises(ValueError, match="table:start"):
        table.write(page, "")


def test_another_task_stands_beside():
    found = [record(task="snare_paired_graph", transfer=0.71), record(task="snare_paired", transfer=0.66)]
    text = table.render(found)
    assert "| score | multiome | `snare_paired` |" in text
    assert "| label transfer RNA → ATAC | 0.7100 | 0.6600 (snare_paired) | ≥ 0.7000 | yes |" in text


def test_simple_methods_of_simulated_data_belong_to_a_seed(tmp_path, monkeypatch, capsys):
    out = tmp_path / "results.jsonl"
    for seed, simple in ((0, 0.4), (1, 0.5)):
        found = {"multiome": 0.9, "pca": simple}
        records.add(out, [record(m, seed, "four_simulated", mean_pair_share=v) for m, v in found.items()])
    monkeypatch.setattr(run, "start", lambda *a: True)
    assert run.main(["--out", str(out), "--tasks", "four_simulated", "--seeds", "1"]) == 0
    assert "| 0.9000 | 0.5000 (pca) |" in capsys.readouterr().out


def test_intervals_are_those_of_the_first_seed_and_trials_have_none(tmp_path, monkeypatch, capsys):
    asked = []
    monkeypatch.setattr(run, "start", lambda task, out, *options: not asked.append("--intervals" in options))
    command = ["--out", str(tmp_path / "results.jsonl"), "--tasks", "four_simulated", "--seeds", "1,2"]
    assert run.main(command) == run.main([*command, "--set", "train.max_epochs=5"]) == 0
    assert asked == [True, False, False, False]
    capsys.readouterr()


def test_page_has_the_markers():
    text = table.PAGE.read_text(encoding="utf-8")
    assert text.index(table.START) < text.index(table.END)


def test_rows_of_the_page_stand_below_a_header():
    lines = table.PAGE.read_text(encoding="utf-8").split("\n")
    tops = [i for i, line in enumerate(lines) if line.startswith("|") and not lines[i - 1].startswith("|")]
    assert [lines[i] for i in tops if not lines[i + 1].startswith("|---")] == []


def test_absent_data_are_a_reason(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("MULTIOME_BENCH_DATA", str(tmp_path))
    real = {name: info.file for name, info in TASKS.items() if info.file is not None}
    assert run.main(["--out", str(tmp_path / "results.jsonl"), "--tasks", ",".join(real)]) == 0
    printed = capsys.readouterr().out
    assert all(f"{name}: skipped, no `{file}`" in printed for name, file in real.items())
    assert catalogue.reason_to_skip("four_simulated", dev=True) is None
    assert run.main(["--out", str(tmp_path / "results.jsonl"), "--dev", "--tasks", "scmt"]) == 0
    assert "no development split" in capsys.readouterr().out


def test_trials_stay_out_of_the_results(capsys):
    assert run.arguments([]).out == records.MEASURED
    assert run.arguments(["--dev"]).out == records.TRIALS
    trial = run.arguments(["--set", "train.max_epochs=5", "loss.clip=0.5", "--seeds", "3"])
    assert (trial.out, trial.settings, trial.seeds) == (records.TRIALS, {"train.max_epochs": 5, "loss.clip": 0.5}, [3])
    for wrong in (["--tasks", "nothing"], ["--set", "epochs=5"], ["--set", "train.max_epochs"], ["--seeds", "one"]):
        with pytest.raises(SystemExit):
            run.arguments(wrong)
    capsys.readouterr()


@pytest.mark.parametrize("name", ["bmmc_cite", "bmmc_multiome_batches"])
@pytest.mark.filterwarnings("ignore::multiome.MultiomeWarning")  # genes that no cell of a small file expresses
def test_a_short_fit_is_measured(bench_data, name):
    bench_data(catalogue.TASKS[name].file)
    settings = {"train.max_epochs": 1, "train.min_steps": 2, "config.n_latent": 4}
    (found,) = measure.measure(name, seed=0, dev=catalogue.TASKS[name].dev, settings=settings)
    assert {goal.score for goal in TASKS[name].goals} <= found["scores"].keys()
    assert found["scores"]["peak_gb"] >= found["scores"]["start_gb"] > 0
    assert found["settings"] == settings
