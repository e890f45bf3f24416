"""The example programs do what they say, in processes of their own."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from dfplan.cli.folders import bundled_weights
from dfplan.models import load_forcing_model
from dfplan.planner import PlannerSettings
from dfplan.realtime import PlannerProcess, PlanningSupervisor
from dfplan.realtime.supervisor import Request

EXAMPLES = Path(__file__).parents[2] / "examples"
pytestmark = pytest.mark.slow


@pytest.fixture
def exported(tmp_path):
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    from dfplan.export.denoise_step import export_planner

    model = load_forcing_model(bundled_weights() / "maze2d-umaze")
    export_planner(model, tmp_path, settings=PlannerSettings(num_candidates=4), description={})
    return tmp_path


def test_a_planner_process_without_torch_answers_with_its_plans(exported):
    from dfplan.export.onnx_planner import OnnxPlanner

    program = [sys.executable, str(EXAMPLES / "onnx_planner.py"), f"--exported={exported}", "--horizon=160"]
    planning = PlanningSupervisor(
        PlannerProcess(program),
        action_low=-np.ones(2),
        action_high=np.ones(2),
        observation_dim=4,
        clock=time.monotonic,
        plan_timeout=30,
    )
    planning.start()
    start, goal = np.array([1.0, 1.0, 0.0, 0.0]), np.array([1.0, 3.0])
    planning.submit(Request(0, 0, 7, start, np.zeros(4), goal, np.zeros((0, 2))))
    update = planning.update(timeout=30)
    planning.close()
    assert update.answer is not None, update
    planner = OnnxPlanner(exported)
    noise = planner.draw_noise([np.random.default_rng(7)], horizon=160)
    expected = planner.plan(start[None], goal[None], horizon=160, noise=noise)
    np.testing.assert_allclose(update.answer.plan.actions, expected.actions, atol=1e-6)
    np.testing.assert_allclose(update.answer.plan.observations, expected.observations, atol=1e-6)


def test_a_policy_served_in_another_process_drives_the_maze():
    script = [sys.executable, str(EXAMPLES / "remote_policy.py")]
    # A runner in the background may have told its children to ignore Ctrl-C.
    server = subprocess.Popen(
        [*script, "serve", "--port=0"],
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert server.stdout is not None
    port = server.stdout.readline().strip()
    driven = subprocess.run([*script, "drive", f"--port={port}"], capture_output=True, text=True, check=False)
    server.send_signal(signal.SIGINT)
    assert server.wait(timeout=30) == 0
    server.stdout.close()
    assert driven.returncode == 0, driven.stderr
    assert float(driven.stdout.split()[-1]) > 150  # standing still is below 0
