"""Two processes (gloo, CPU) train what one does."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from tiny_task import logged, plain_task, train_tiny

from dfplan.models.bundle import load_bundle

TRAIN = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import os, signal, torch
from tiny_task import Points, plain_task, train_tiny
class StopOne(Points):
    count = 0
    def sample(self, batch_size, generator):
        self.count += 1
        if self.count == 17 and os.environ["RANK"] == "1" and "resume" not in sys.argv:
            os.kill(os.getpid(), signal.SIGTERM)
        return super().sample(batch_size, generator)
result = train_tiny(plain_task(), Path(sys.argv[2]), dataset=StopOne(), num_steps=40, resume="resume" in sys.argv)
os.write(1, f"{result.step} {result.finished}\\n".encode())  # at once: print's parts would mix with the other's
torch.distributed.destroy_process_group()  # else one may abort while it leaves, because the other is gone
"""


def run_two(script: Path, folder: Path, *arguments: str) -> list[str]:
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    result = subprocess.run(
        [*launch, str(script), str(Path(__file__).parent), str(folder), *arguments],
        env=os.environ | {"OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.split()


@pytest.mark.slow
def test_two_processes_equal_one_also_over_a_stop_that_only_one_hears(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(TRAIN)
    train_tiny(plain_task(), tmp_path / "one", num_steps=40)
    assert run_two(script, tmp_path / "two") == ["17", "False"] * 2
    assert run_two(script, tmp_path / "two", "resume") == ["40", "True"] * 2
    one, two = logged(tmp_path / "one"), logged(tmp_path / "two")
    assert [line["step"] for line in one] == [line["step"] for line in two]
    assert [line["loss"] for line in two] == pytest.approx([line["loss"] for line in one], rel=1e-2)
    assert two[0]["loss"] == pytest.approx(one[0]["loss"], rel=1e-4)
    exported = [load_bundle(tmp_path / name / "model")[0] for name in ("one", "two")]
    for name, tensor in exported[0].items():
        torch.testing.assert_close(exported[1][name], tensor, rtol=0, atol=1e-2)
