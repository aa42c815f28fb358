"""What a killed process left is removed, what a running one writes is not."""

from __future__ import annotations

import multiprocessing
import os
import signal
from pathlib import Path

import pytest

from multiome.files import draft, new_folder, scratch, sweep


def test_output_is_whole_or_the_old_one(tmp_path):
    out = tmp_path / "out.txt"
    out.write_text("old")

    def killed_half_way():
        with draft(out) as beside:
            beside.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        killed_half_way()
    assert out.read_text() == "old"
    assert list(tmp_path.iterdir()) == [out]
    with draft(out) as beside:
        beside.write_text("new")
    assert out.read_text() == "new"
    assert list(tmp_path.iterdir()) == [out]


def writing(target: Path) -> tuple[int, int]:
    """A process that has begun a draft and does not end, and the pipe on which it says that it has begun."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        with draft(target) as beside:
            beside.write_text("half")
            os.write(writer, b"begun")
            signal.pause()
        os._exit(0)
    os.close(writer)
    assert os.read(reader, 5) == b"begun"
    return child, reader


def killed(child: int, reader: int) -> None:
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(reader)


def test_next_draft_removes_what_a_killed_process_left_and_no_other(tmp_path):
    target = tmp_path / "out.txt"
    one, two = writing(target), writing(target)
    assert len(list(tmp_path.iterdir())) == 2
    killed(*one)
    try:
        with draft(target) as beside:
            beside.write_text("new")
        assert target.read_text() == "new"
        (left,) = (path for path in tmp_path.iterdir() if path != target)
        assert (left / "out.txt").read_text() == "half"
    finally:
        killed(*two)
    sweep(target)
    assert list(tmp_path.iterdir()) == [target]


def test_only_drafts_of_the_same_target_are_removed(tmp_path):
    strangers = [".other.txt.abcdefgh.part", ".out.txt.part", ".out.txt.abc.part", "out.txt.abcdefgh.part"]
    for name in strangers:
        (tmp_path / name).mkdir()
    (tmp_path / ".out.txt.abcdefgi.part").write_text("a file that nobody here wrote")
    (tmp_path / ".out.txt.abcdefgh.part").mkdir()
    sweep(tmp_path / "out.txt")
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([*strangers, ".out.txt.abcdefgi.part"])


def test_a_folder_swept_before_it_was_locked_is_made_again(tmp_path, monkeypatch):
    made = []

    def swept(folder: Path, *, wait: bool) -> None:
        made.append(folder)
        if len(made) == 1:
            folder.rmdir()

    monkeypatch.setattr("multiome.files.locked", swept)
    folder, _ = new_folder(tmp_path / "out.txt")
    assert len(made) == 2
    assert folder == made[1]
    assert folder.is_dir()


def save_often(folder: str, n: int) -> None:
    for i in range(n):
        with draft(Path(folder) / "out.txt") as beside:
            beside.write_text(f"{i}" * 1000)


def test_processes_that_write_the_same_target_do_not_disturb_each_other(tmp_path):
    workers = [multiprocessing.get_context("fork").Process(target=save_often, args=(str(tmp_path), 150)) for _ in "abc"]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    assert [path.name for path in tmp_path.iterdir()] == ["out.txt"]
    assert len((tmp_path / "out.txt").read_text()) in (1000, 2000, 3000)


def test_a_folder_for_a_while(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    left = tmp_path / ".mine.abcdefgh.part"
    left.mkdir()
    with scratch("mine") as one, scratch("mine") as two:
        assert not left.exists()
        (one / "x").write_text("x")
        assert two.is_dir()
        assert one != two
    assert not list(tmp_path.iterdir())


def test_a_folder_is_there_whenever_it_ends(tmp_path, monkeypatch):
    target = tmp_path / "x.zarr"
    target.mkdir()
    (target / "old").write_text("1")
    rename = Path.rename

    def not_into_place(self, to):
        if self.name == target.name and self.parent.suffix == ".part":
            raise OSError("full")
        return rename(self, to)

    monkeypatch.setattr(Path, "rename", not_into_place)
    with pytest.raises(OSError, match="full"), draft(target) as beside:
        beside.mkdir()
    assert (target / "old").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["x.zarr"]


def test_half_a_file_of_any_name_is_not_put_back(tmp_path):
    half = tmp_path / ".before.abcdefgh.part"
    half.mkdir()
    (half / "before").write_text("half")
    with pytest.raises(KeyError), draft(tmp_path / "before"):
        raise KeyError
    assert not list(tmp_path.iterdir())


def test_what_a_killed_process_moved_aside_is_put_back(tmp_path):
    target = tmp_path / "x.zarr"
    aside = tmp_path / ".x.zarr.abcdefgh.part"
    (aside / "x.zarr.before").mkdir(parents=True)
    (aside / "x.zarr.before" / "old").write_text("1")
    with pytest.raises(KeyError), draft(target):
        raise KeyError
    assert (target / "old").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["x.zarr"]
