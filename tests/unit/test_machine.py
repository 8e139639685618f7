"""Freed memory stays with the process."""

import subprocess
import sys

import pytest

PROGRAM = """
import resource, torch
torch.set_num_threads(1)
from atomlens.nn.memory import keep_freed_memory
keep_freed_memory()
def step():
    return [torch.ones(1_000_000) for _ in range(8)]
step(); step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the allocator of Linux")
def test_a_second_step_touches_no_new_pages() -> None:
    """32 MB in pages of 4 kB are 8,000 faults, unless the memory was kept."""
    program = PROGRAM
    environment = {"THP_MEM_ALLOC_ENABLE": "0", "PATH": "/usr/bin:/bin"}
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=environment, check=True
    )
    assert int(run.stdout) < 1000
