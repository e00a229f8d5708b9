"""Protects keeping freed memory: that glibc accepts it, in a process of its own."""

import subprocess
import sys

import pytest
from project import ROOT

PROGRAM = """
import resource, numpy
from helpers.base.memory import keep_freed_memory
kept = keep_freed_memory()
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        numpy.ones(10**7, numpy.uint8)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
faults()
print(kept, faults())
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere nothing is changed")
def test_freed_blocks_are_used_again_without_page_faults():
    done = subprocess.run([sys.executable, "-c", PROGRAM], cwd=ROOT, capture_output=True, text=True, check=True)
    kept, faults = done.stdout.split()
    if kept == "False":
        pytest.skip("this C library has no mallopt")
    assert int(faults) < 2000  # without it, 20 blocks of 10 MB are 48,000 pages
