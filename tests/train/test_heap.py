"""Blocks that are asked for again and again cost the system nothing."""

import platform
import subprocess
import sys

import pytest

COUNT = """
import resource, sys
import torch
from multiome.train.heap import keep_freed

def faults(n):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(n):
        blocks = [torch.ones(5_000_000) for _ in range(4)]
        del blocks
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

kept = sys.argv[1] == "kept" and keep_freed()
faults(3)
print(int(kept), faults(10))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another allocator is left as it is")
def test_pages_are_not_asked_for_again():
    def told(how):
        found = subprocess.run([sys.executable, "-c", COUNT, how], capture_output=True, text=True, check=True)
        return map(int, found.stdout.split())

    kept, n_faults = told("kept")
    _, n_before = told("as it was")
    assert kept
    assert n_faults < 1_000 < n_before  # ten times 80 MB are 200,000 pages
