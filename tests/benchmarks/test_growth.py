"""What grows is measured one at a time, written down and drawn."""

import pytest

from tests.benchmarks import growth, records


def test_sizes_grow_one_at_a_time():
    found = growth.sizes(list(growth.GROWN))
    assert found.count(growth.BASE) == 1
    assert all(sum(size[axis] != growth.BASE[axis] for axis in size) <= 1 for size in found)
    assert {size["edges"] for size in found} == {0, 10_000, 100_000, 1_000_000}


def test_a_small_size_is_measured(monkeypatch):
    monkeypatch.setattr(growth, "N_GENES", 40)
    monkeypatch.setattr(growth, "N_STEPS", 8)
    found = growth.measure(cells=300, peaks=60, seen=30, edges=50)
    assert 0 < found["step_cpu_seconds"] < 10
    assert 0 < found["before_gb"] <= found["peak_gb"]


def test_what_was_measured_is_drawn(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(growth, "in_its_own_process", lambda size: {
        "step_cpu_seconds": size["peaks"] / 1e6, "peak_gb": 1.5, "before_gb": 1.0,
    })  # fmt: skip
    out = tmp_path / "speed.jsonl"
    growth.main(["--out", str(out)])
    rows = capsys.readouterr().out.splitlines()
    assert "| 4,000 | 150,000 | 3,000 | 0 | 0.150 | 1,707 | 1.50 |" in rows
    assert len(records.load(out)) == len(rows) - 2
    growth.main(["--out", str(out), "--plot", str(tmp_path / "figures" / "cost.png")])
    assert (tmp_path / "figures" / "cost.png").read_bytes().startswith(b"\x89PNG")


def test_axes_are_named():
    with pytest.raises(SystemExit):
        growth.main(["--axes", "genes"])
