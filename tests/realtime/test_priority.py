"""Going first: what is asked of the system is given back, and nothing that is started meanwhile goes first as well."""

import gc
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dfplan.realtime import undisturbed

linux = pytest.mark.skipif(sys.platform != "linux", reason="SCHED_FIFO is Linux's")
TESTS = Path(__file__).parents[1]


@linux
def test_the_loop_goes_first_where_it_may_and_is_ordinary_afterwards():
    before = os.sched_getscheduler(0), os.nice(0)
    with undisturbed() as goes_first:
        policy = os.sched_getscheduler(0) & ~os.SCHED_RESET_ON_FORK
        assert policy == (os.SCHED_FIFO if goes_first else before[0])
        assert gc.get_freeze_count() > 0
        # The planner is started by the loop, and must not hold it up.
        asked = [sys.executable, "-c", "import os; print(os.sched_getscheduler(0))"]
        assert int(subprocess.check_output(asked)) == os.SCHED_OTHER
    assert (os.sched_getscheduler(0), os.nice(0)) == before
    assert gc.get_freeze_count() == 0


@linux
def test_what_the_loop_has_in_memory_stays_there_and_is_let_go_afterwards():
    def kept():  # KiB, of a machine that grants it
        return int(Path("/proc/self/status").read_text().split("VmLck:")[1].split()[0])

    may = os.geteuid() == 0  # others as far as a limit allows
    with undisturbed():
        with undisturbed():
            pass
        assert kept() > 0 or not may  # what another asked for is not given back
    assert kept() == 0


@linux
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can become nobody")
def test_without_permission_it_says_so_and_goes_on():
    child = os.fork()
    if child == 0:
        status = 2
        try:
            import resource

            resource.setrlimit(resource.RLIMIT_RTPRIO, (0, 0))
            os.setuid(65534)
            with undisturbed() as goes_first:
                status = int(goes_first)
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0


def test_what_was_set_is_undone_when_the_loop_fails():
    with pytest.raises(KeyError), undisturbed():
        raise KeyError
    assert gc.get_freeze_count() == 0


def test_no_tick_loads_a_module():
    """Loading one takes longer than a tick: whatever a loop needs is there before it begins."""
    program = """
import sys
import numpy as np
from fake_planner import FakeClock, FakePlanner, fake_agent, maze_gate
clock = FakeClock()
agent = fake_agent(FakePlanner(clock), gate=maze_gate(motion=lambda observation, action: observation))
loaded = set(sys.modules)
for step in range(40):
    clock.advance(0.05)
    seen = np.array([1.0, 2.0, 0.01 * step, 0.0]) if step % 7 else np.full(4, np.nan)
    agent.act(seen, deadline=clock() + 0.04)
print(sorted(set(sys.modules) - loaded))
"""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([*sys.path, str(TESTS)])}
    asked = [sys.executable, "-c", program]
    assert subprocess.check_output(asked, env=environment, text=True).strip() == "[]"
