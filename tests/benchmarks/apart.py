"""Something measured in a process of its own, which prints JSON at its end."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any

from tests.benchmarks.catalogue import REPOSITORY


def apart(command: Sequence[str], environment: Mapping[str, str]) -> Any:
    """What the process says last.

    Raises
    ------
    RuntimeError
        If it failed; with what it said.
    """
    done = subprocess.run(command, cwd=REPOSITORY, check=False, capture_output=True, text=True, env=environment)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with status {done.returncode}:\n{done.stderr}")
    return json.loads(done.stdout.strip().splitlines()[-1])
