"""The plan on paper is arithmetic that holds, its page is that of its result file, and the script for a GPU runs."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from dfplan.training.muon import orthogonalized

FOLDER = Path(__file__).parents[2] / "benchmarks" / "scale"
sys.path.append(str(FOLDER))
import throughput  # noqa: E402
from throughput import Network  # noqa: E402

NETWORK = Network(num_parameters=10**9, num_matrix_parameters=9 * 10**8, flops_a_window=1e11, muon_flops=1e13)


def parts(num_gpus, *, parallel="ddp"):
    how = {"windows": 256, "host_seconds": 0.01, "share_of_peak": 0.4}
    return throughput.step_seconds(NETWORK, num_gpus, parallel=parallel, **how)


def test_one_gpu_sends_nothing_and_many_send_everything_twice():
    assert throughput.message_bytes(NETWORK, 1, parallel="ddp") == 0
    assert throughput.message_bytes(NETWORK, 10**6, parallel="ddp") == pytest.approx(2 * 4e9, rel=1e-5)
    assert throughput.message_bytes(NETWORK, 2, parallel="fsdp") == pytest.approx((2 * 4e9 + 3.6e9) / 2)


def test_efficiency_falls_as_gpus_are_added_and_the_network_takes_what_it_takes():
    found = [parts(number) for number in (1, 8, 64, 256, 1000)]
    shares = [throughput.efficiency(each) for each in found]
    assert shares == sorted(shares, reverse=True)
    assert {each["compute"] for each in found} == {256 * 1e11 / (0.4 * 989e12)}
    assert throughput.breaks_first({"compute": 9, "host": 1, "messages": 2, "muon": 0}) == "messages"


def test_memory_is_shared_out_but_for_what_is_gathered():
    assert throughput.memory_bytes(NETWORK, 1, parallel="ddp") == 4 * (5e9 - 9e8)
    assert throughput.memory_bytes(NETWORK, 10**6, parallel="fsdp") == pytest.approx(8e9, rel=1e-4)


def test_failures_are_as_published_and_saving_often_costs_what_is_lost():
    assert throughput.hours_between_failures(16384) == pytest.approx(54 * 24 / 419)
    seconds = throughput.seconds_between_checkpoints(1000, save_seconds=30)
    failure = 3600 * throughput.hours_between_failures(1000)

    def lost(interval):
        return 30 / interval + interval / 2 / failure  # share of the time: saving, and half an interval done again

    assert lost(seconds) < min(lost(seconds * 1.1), lost(seconds / 1.1))


@pytest.mark.parametrize("shape", [(128, 512), (512, 128), (128, 128)])
def test_operations_of_muon_are_those_that_torch_counts(shape):
    how = {"dtype": torch.float32, "coefficients": (3.4445, -4.775, 2.0315), "num_iterations": 5, "eps": 1e-7}
    with FlopCounterMode(display=False) as counter:
        orthogonalized(torch.randn(1, *shape), **how)
    assert throughput.muon_flops([shape]) == counter.get_total_flops()


def script(name, *words, folder=None):
    return subprocess.run(
        [sys.executable, FOLDER / name, *words],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_the_page_is_that_of_its_result_files():
    answer = script("run.py", "--check")
    assert answer.returncode == 0, f"run benchmarks/scale/run.py --table and commit docs/scale.md {answer.stderr}"


@pytest.mark.slow
def test_the_script_for_a_gpu_runs_on_any_machine(tmp_path):
    answer = script("gpu.py", "--tiny", "--keep", "--uncommitted", "--output", str(tmp_path), folder=tmp_path)
    assert answer.returncode == 0, answer.stderr
    (file,) = tmp_path.glob("*_gpu.json")
    record = json.loads(file.read_text())
    rows = {row["what"]: row for row in record["rows"]}
    assert rows["training, tiny: bf16"]["ratio"] > 0
    assert rows["plans: 2 at once, each"]["lowest"] <= rows["plans: 2 at once, each"]["ratio"]
    assert record["tiny"] is True


@pytest.mark.slow
@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU to measure")
def test_without_a_gpu_nothing_is_measured(tmp_path):
    answer = script("gpu.py", folder=tmp_path)
    assert answer.returncode == 2
    assert "no GPU here; --tiny tries the script on any machine" in answer.stderr
