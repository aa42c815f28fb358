"""What a graph costs is measured and judged."""

from tests.benchmarks import cost


def test_cost_of_a_small_graph(capsys, tmp_path):
    sizes = ["--cells", "300", "--genes", "40", "--peaks", "60", "--epochs", "3"]
    cost.main(["--edges", "100,0", *sizes, "--out", str(tmp_path / "cost.jsonl")])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("|")[1].strip() for line in lines[2:4]] == ["0", "100"]
    assert float(lines[2].split("|")[3]) == 1
    assert "100,000 edges: 1.25 (to reach: 1.3): yes" in cost.report(
        {n: {"epoch_cpu_seconds": s, "fit_cpu_seconds": 1, "peak_gb": 1} for n, s in ((0, 4.0), (100_000, 5.0))}
    )
