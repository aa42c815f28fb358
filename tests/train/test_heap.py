"""Blocks that are asked for again and again cost the system nothing; what is not needed goes back to it."""

import platform
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another allocator is left as it is")

FAULTS = """
import resource
import torch
from multiome.train.heap import keep_freed

def faults(n):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(n):
        blocks = [torch.ones(5_000_000) for _ in range(4)]
        del blocks
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

kept = keep_freed()
faults(3)
print(int(kept), faults(10))
"""
BETWEEN = """
from pathlib import Path
import numpy as np
from multiome.train.heap import give_back, keep_freed

def held():
    return int(Path("/proc/self/statm").read_text().split()[1]) // 256

keep_freed()
blocks = [np.ones(2_500) for _ in range(10_000)]  # 200 MB
last = np.ones(1_000)
blocks = blocks[::50]
before = held()
print(int(give_back()), before - held())
"""


def told(code):
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return map(int, found.stdout.split())


def test_pages_are_not_asked_for_again():
    kept, n_faults = told(FAULTS)
    assert kept
    assert n_faults < 1_000  # ten times 80 MB are 200,000 pages


def test_what_lies_between_blocks_in_use_is_given_back():
    gone, megabytes = told(BETWEEN)
    assert gone
    assert megabytes > 100
