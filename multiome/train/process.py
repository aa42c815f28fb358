"""New Python processes of one machine: started, waited for, asked to end, and what they say when they fail.

They are no copies of this one, so that a notebook and a script without ``if __name__ == "__main__"`` do, too.
"""

from __future__ import annotations

import codecs
import os
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from time import sleep
from typing import IO

from multiome.errors import MultiomeError
from multiome.train.interrupt import Interrupts
from multiome.train.sent import receive

STOP = b"stop\n"
"""Asks a process to end training after this step. That it can read no more tells that this process is gone."""
TOLD = 20
"""Last lines of what a process has said that are shown where it died without a word."""


class Died(MultiomeError):
    """A process ended without a word of what was wrong."""


class Process:
    """One of them, of a number: what it says is shown, or kept for the case that it dies."""

    def __init__(self, arguments: Sequence[str], number: int, environment: Mapping[str, str]) -> None:
        self.number = number
        self.popen = subprocess.Popen(
            [sys.executable, "-m", *arguments], env=environment,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C reaches this process alone, which asks them to end
        )  # fmt: skip
        self.complaints: deque[str] = deque(maxlen=TOLD)
        readers = ((self.popen.stdout, show), (self.popen.stderr, self.keep))
        self.readers = [threading.Thread(target=use, args=(stream,), daemon=True) for stream, use in readers]
        for reader in self.readers:
            reader.start()

    def keep(self, stream: IO[bytes]) -> None:
        """Its last lines of errors and warnings."""
        with stream:
            for line in stream:
                self.complaints.append(line.decode(errors="replace"))

    @property
    def runs(self) -> bool:
        """Whether it has not ended."""
        return self.popen.poll() is None

    @property
    def failed(self) -> bool:
        """Whether it has ended, and not well."""
        return bool(self.popen.poll())

    def stop(self) -> None:
        """Ask for an end after this step."""
        assert self.popen.stdin is not None
        with suppress(OSError):  # it has ended
            self.popen.stdin.write(STOP)
            self.popen.stdin.flush()

    def end(self) -> None:
        """See that it is gone."""
        if self.runs:
            self.popen.kill()
        self.popen.wait()
        for reader in self.readers:
            reader.join()
        assert self.popen.stdin is not None
        with suppress(OSError):
            self.popen.stdin.close()


def show(stream: IO[bytes]) -> None:
    """What a process prints, the progress bar, is printed here, so that notebooks show it."""
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    with stream:
        while part := os.read(stream.fileno(), 4096):
            sys.stdout.write(decoder.decode(part))
            sys.stdout.flush()


def environment(n_threads: int, outer: Mapping[str, str] = os.environ) -> dict[str, str]:
    """What a process is told: where modules lie, and how many threads are its own."""
    own = {
        "OMP_NUM_THREADS": n_threads,
        "PYTHONPATH": os.pathsep.join(str(Path(folder).resolve()) for folder in sys.path),
        "PYTHONSAFEPATH": 1,
        "PYTHONFAULTHANDLER": 1,
    }
    return dict(outer) | {name: str(value) for name, value in own.items()}


def n_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run(folder: Path, starts: Sequence[Callable[[], Process]], *, at_once: int) -> BaseException | None:
    """Start so many processes, the next one when another has ended, until all have ended, or one has failed.

    An interrupt asks all of them to end. What was raised in a process first, or None.
    """
    processes: list[Process] = []
    asked = False

    def ask() -> None:
        nonlocal asked
        asked = True
        for process in processes:
            process.stop()

    interrupts = Interrupts(ask)
    interrupts.listen()
    failed: list[Process] = []
    try:
        while not failed:
            running = sum(process.runs for process in processes)
            if running < at_once and len(processes) < len(starts):
                processes.append(starts[len(processes)]())
                if asked:
                    processes[-1].stop()
                continue
            if not running:
                break
            sleep(0.05)
            failed = [process for process in processes if process.failed]
        failed = failed or [process for process in processes if process.failed]
    finally:
        for process in processes:
            process.end()
        interrupts.restore()
    return first_error(folder, failed) if failed else None


def error_file(folder: Path, number: int) -> Path:
    """Where a process leaves what was raised in it."""
    return folder / f"error-{number}"


def first_error(folder: Path, failed: Sequence[Process]) -> BaseException:
    """What went wrong first: a process that died without a word, or what was raised; others fail as one is gone."""
    told = {process: error_file(folder, process.number) for process in failed}
    silent = next((process for process, path in told.items() if not path.exists()), None)
    if silent is None:
        return min((receive(path) for path in told.values()), key=lambda failure: failure.when).error
    code = silent.popen.returncode
    how = f"by signal {-code}" + "; memory may have been short" * (code == -9) if code < 0 else f"with status {code}"
    said = "".join(silent.complaints).strip()
    return Died(
        f"Training process {silent.number} ended {how}. With TrainConfig(checkpoint='run.ckpt') a fit that is "
        "asked for again goes on from its last epoch." + (f"\n{said}" if said else "")
    )
