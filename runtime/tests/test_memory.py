"""What a large request took is the system's again when it is answered."""

import subprocess
import sys

import pytest

PROGRAM = """
import os
from slipform_runtime import memory

def pages() -> int:
    return int(open("/proc/self/statm").read().split()[1])

memory.keep_little()
small = []
before = pages()
for turn in range(20):
    large = []
    for size in range(300_000, 20_000_000, 1_000_000):
        large.append(bytearray(size))
        small.append(bytearray(600))  # between them, so that they are not one free block
    del large
memory.give_back()
print((pages() - before) * os.sysconf("SC_PAGE_SIZE"))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc/self/statm")
def test_large_blocks_do_not_stay() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 5_000_000
