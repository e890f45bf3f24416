"""Real planner processes, in real time: they answer, fail, hang and die, and leave nothing behind."""

import gc
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from fake_planner import HIGH, LOW, needs_a_quiet_machine
from planner_program import DIE, HANG, NOT_FINITE, RAISE

from dfplan.errors import UserError
from dfplan.realtime import PlannerProcess, PlanningSupervisor
from dfplan.realtime.stream import ConnectionLostError
from dfplan.realtime.supervisor import Request, Update
from dfplan.realtime.wire import encode

pytestmark = needs_a_quiet_machine

PROGRAM = [sys.executable, str(Path(__file__).with_name("planner_program.py"))]


@pytest.fixture
def process():
    process = PlannerProcess(PROGRAM)
    yield process
    process.close()


def supervisor(process, **options):
    return PlanningSupervisor(
        process, action_low=LOW, action_high=HIGH, observation_dim=4, clock=time.monotonic, **options
    )


def request(goal=0.0):
    zeros = np.zeros(4)
    return Request(
        episode=0,
        step=0,
        seed=0,
        observation=zeros,
        observation_noise=zeros,
        goal=np.array([goal, 0]),
        committed=np.zeros((0, 2)),
    )


def outcome(planning, goal) -> Update:
    """What becomes of one request."""
    planning.submit(request(goal))
    while planning.is_busy:
        update = planning.update(timeout=0.05)
        if update != Update():
            return update
    return Update()


@pytest.mark.slow
def test_a_real_process_plans_fails_and_goes_on(process):
    planning = supervisor(process)
    planning.start()
    answer = outcome(planning, 0.0).answer
    assert answer.plan.actions.shape == (1, 64, 2)
    assert answer.context_level == 0.125
    failed = outcome(planning, RAISE)
    assert (failed.failure, failed.detail) == ("planner_failed", "RuntimeError: as asked")
    failed = outcome(planning, NOT_FINITE)
    assert failed.failure == "planner_failed"
    assert "plan: cannot be sent" in failed.detail
    assert outcome(planning, 0.0).answer is not None


@pytest.mark.slow
def test_a_process_that_dies_or_hangs_is_replaced(process):
    planning = supervisor(process, plan_timeout=0.2)
    planning.start()
    first = process.process_id
    assert outcome(planning, DIE).failure == "planner_died"
    second = process.process_id
    while planning.is_down:
        planning.update(timeout=1)
    assert outcome(planning, HANG).failure == "planner_hung"
    while planning.is_down:
        planning.update(timeout=1)
    assert outcome(planning, 0.0).answer is not None
    assert len({first, second, process.process_id}) == 3
    for gone in (first, second):
        assert not _runs(gone)


@pytest.mark.slow
@pytest.mark.parametrize(("sent", "failure"), [(signal.SIGKILL, "planner_died"), (signal.SIGSTOP, "planner_hung")])
def test_an_idle_process_that_is_killed_or_frozen_is_noticed(process, sent, failure):
    planning = supervisor(process, plan_timeout=0.2)
    planning.start()
    os.kill(process.process_id, sent)
    began, noticed, looks = time.monotonic(), None, 0
    while noticed is None and looks < 100:
        looked, looks = time.monotonic(), looks + 1
        noticed = planning.update(timeout=0.02).failure or planning.ping().failure
    assert noticed == failure
    # At the look before it was not due yet: that holds on a machine that is busy with other things as well.
    assert looks <= 2 or looked - began < 0.2 + 2 * 0.02


@pytest.mark.slow
def test_a_process_ends_with_its_loop_even_while_it_hangs(process):
    planning = supervisor(process)
    planning.start()
    planning.submit(request(HANG))
    pid = process.process_id
    process._stream.close()  # as when the loop is killed
    until = time.monotonic() + 5
    while _runs(pid) and time.monotonic() < until:
        time.sleep(0.01)
        process._process.poll()
    assert not _runs(pid)


LOOP = """
import os, signal, sys, threading, time
from dfplan.realtime import PlannerProcess
process = PlannerProcess(sys.argv[2:])
def start():
    process.start()
    process.receive(timeout=float(os.environ["PATIENCE"]))
if "thread" in sys.argv[1]:
    starter = threading.Thread(target=start)
    starter.start()
    starter.join()
    time.sleep(0.6)
else:
    start()
if "fork" in sys.argv[1] and os.fork() == 0:
    time.sleep(60)
    os._exit(0)
if "stop" in sys.argv[1]:
    os.kill(process.process_id, signal.SIGSTOP)
print(process.process_id, flush=True)
time.sleep(60)
"""


HOLDS_THE_INTERPRETER = "sum(range(10**13))"
LOADS = "import time; time.sleep(60)"


def gone_with_its_loop(how, program, *, patience):
    """Whether a planner is gone a second after its loop was killed."""
    loop = subprocess.Popen(
        [sys.executable, "-c", LOOP, how, *program],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=os.environ | {"PATIENCE": str(patience)},
    )
    try:
        pid = int(next(line for line in loop.stdout if line.strip().isdigit()))
        assert _runs(pid)  # also where the thread that started it has ended
        loop.kill()
        loop.wait()
        until = time.monotonic() + 1.0
        while _runs(pid) and time.monotonic() < until:
            time.sleep(0.01)
        return not _runs(pid)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(loop.pid, signal.SIGKILL)
        loop.stdout.close()


@pytest.mark.slow
@pytest.mark.parametrize("how", ["plain", "fork", "stop", "fork stop", "thread", "thread fork", "thread fork stop"])
def test_a_process_is_gone_within_a_second_of_its_loop(how):
    assert gone_with_its_loop(how, PROGRAM, patience=60)


@pytest.mark.slow
@pytest.mark.parametrize("does", [LOADS, HOLDS_THE_INTERPRETER])
@pytest.mark.parametrize("how", ["plain", "fork", "fork stop"])
def test_a_process_that_does_not_look_is_gone_as_well(how, does):
    assert gone_with_its_loop(how, [sys.executable, "-c", does], patience=0.5)


def test_many_starts_leave_no_process_and_no_descriptor_behind():
    gc.collect()  # what other tests have left open
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        process = PlannerProcess(PROGRAM)
        for _ in range(5):
            process.start()
        process.close()
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_command_that_is_none_is_told(process):
    planning = supervisor(PlannerProcess(["/nowhere/planner"]))
    with pytest.raises(UserError, match=r"the planner process cannot be started: .*nowhere"):
        planning.start()
    with pytest.raises(UserError, match=r"did not start: planner_died"):
        supervisor(PlannerProcess([sys.executable, "-c", "pass"])).start()


def test_an_unstarted_process_is_no_process(process):
    with pytest.raises(ConnectionLostError, match="has not been started"):
        process.send(encode("ping"))
    assert process.process_id is None


def _runs(pid: int) -> bool:
    """Whether a process runs; one that has ended but is not cleared away does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().split(") ")[1][0] != "Z"
    except OSError:
        return False
