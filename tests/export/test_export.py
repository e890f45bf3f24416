"""An exported planner makes the plans of the planner in torch, without torch, from files that are checked."""

import hashlib
import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny_model import tiny_denoiser, tiny_model

from dfplan.cli.commands.verify import verify
from dfplan.cli.folders import bundled_weights
from dfplan.diffusion import Parameterization, Schedule, pyramid_matrix, reverse_step
from dfplan.domains.maze.scorer import PointMassScorer
from dfplan.errors import UserError
from dfplan.export.denoise_step import DenoiseStep, export_planner
from dfplan.export.manifest import (
    MANIFEST_FILE,
    ONNX_FILE,
    SEAL,
    TORCH_FILE,
    ExportedSettings,
    check_file,
    read_manifest,
)
from dfplan.export.onnx_planner import OnnxPlanner, pyramid_levels
from dfplan.files import sealed_json
from dfplan.models.denoiser import DenoiserState
from dfplan.models.forcing_model import load_forcing_model
from dfplan.planner import Planner, PlannerSettings

pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

SETTINGS = PlannerSettings(
    num_candidates=3, num_levels=3, rho=2.0, pyramid_offset=1.0, window_tokens=4, stabilization_level=0.1
)
OBSERVATIONS = np.array([[1.0, 1.0, 0.0, 0.0], [2.5, 3.0, 0.5, -0.5]])
GOALS = np.array([[3.0, 3.0], [1.0, 3.0]])


@pytest.fixture(scope="module")
def model():
    return tiny_model()


@pytest.fixture(scope="module")
def folder(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("export")
    export_planner(model, folder, settings=SETTINGS, description={"env": "none"})
    return folder


@pytest.fixture
def copy(folder, tmp_path):
    for each in folder.iterdir():
        (tmp_path / each.name).write_bytes(each.read_bytes())
    return tmp_path


def plans(planner: Planner, exported: OnnxPlanner, *, horizon: int, observations=OBSERVATIONS, goals=GOALS):
    """The plans of both from the same noise, which torch draws window by window."""
    count, num_tokens, token_dim = exported.noise_shape(horizon)
    noise = []
    for seed in range(len(goals)):
        generator = torch.Generator().manual_seed(seed)
        lengths = [
            min(exported.window_tokens, num_tokens - first) for first in range(0, num_tokens, exported.window_tokens)
        ]
        parts = [torch.randn((count, length, token_dim), generator=generator) for length in lengths]
        noise.append(torch.cat(parts, dim=1).numpy())
    generators = [torch.Generator().manual_seed(seed) for seed in range(len(goals))]
    expected = planner.plan(observations, goals, horizon=horizon, generators=generators)
    return expected, exported.plan(observations, goals, horizon=horizon, noise=np.stack(noise))


def assert_same_plans(expected, found, *, rtol=0.0):
    for name in ("observations", "actions", "rewards"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), rtol=rtol, atol=1e-5, err_msg=name)
    np.testing.assert_allclose(found.value, expected.value, rtol=1e-5)  # hundreds of steps times a doubt
    for name in ("arrival", "num_steps"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
    assert found.steps_per_point == expected.steps_per_point


@pytest.mark.slow
@pytest.mark.parametrize("horizon", [1, 14, 40])
def test_plans_are_those_of_torch_in_one_window_and_in_several(model, folder, horizon):
    assert_same_plans(*plans(Planner(model, settings=SETTINGS), OnnxPlanner(folder), horizon=horizon))


# On some processors two of 96 numbers differ by 2.1e-5.
CLEAN_COSINE = pytest.param("clean", "cosine", marks=pytest.mark.xfail(strict=False, reason="2.1e-5 instead of 1e-5"))


@pytest.mark.slow
@pytest.mark.parametrize(("prediction", "schedule"), [CLEAN_COSINE, ("noise", "ddpm"), ("velocity", "cosine")])
def test_plans_are_those_of_torch_for_every_prediction_and_schedule(tmp_path, prediction, schedule):
    model = replace(tiny_model(), parameterization=Parameterization(prediction, Schedule(schedule)))
    export_planner(model, tmp_path, settings=SETTINGS, description={})
    expected, found = plans(Planner(model, settings=SETTINGS), OnnxPlanner(tmp_path), horizon=24)
    assert_same_plans(expected, found, rtol=1e-5)  # a random network leaves the maze by hundreds of units


@pytest.mark.slow
def test_plans_of_the_weights_that_come_with_dfplan(tmp_path):
    model = load_forcing_model(bundled_weights() / "maze2d-umaze")
    export_planner(model, tmp_path, settings=PlannerSettings(), description={})
    planner, exported = Planner(model, settings=PlannerSettings()), OnnxPlanner(tmp_path)
    observations = np.array([[1.0, 1.0, 0, 0], [3.0, 1.0, 0, 0], [3.0, 3.0, 1.0, 0]])
    goals = np.array([[1.0, 3.0], [1.0, 1.0], [1.0, 3.0]])
    expected, found = plans(planner, exported, horizon=300, observations=observations, goals=goals)
    assert (expected.arrival <= 300).all()
    assert_same_plans(expected, found)


@pytest.mark.slow
@pytest.mark.parametrize(("batch", "tokens", "past"), [(1, 1, 2), (1, 2, 0), (2, 3, 7), (5, 1, 1)])
def test_the_graph_serves_every_size_also_none_and_one(model, folder, batch, tokens, past):
    step, session = DenoiseStep(model), OnnxPlanner(folder)._session
    layers, width = len(model.denoiser.blocks), 2 * model.denoiser.project_out.in_features
    feeds = {
        "noisy": torch.randn(batch, tokens, model.layout.token_dim),
        "level": torch.rand(batch, tokens, 2) + 0.1,
        "next_level": torch.zeros(batch, tokens, 2),
        "cache": torch.randn(layers, batch, past, width),
    }
    with torch.no_grad():
        expected = step(*feeds.values())
    for one, other in zip(
        expected, session.run(None, {name: each.numpy() for name, each in feeds.items()}), strict=True
    ):
        np.testing.assert_allclose(other, one.numpy(), atol=2e-5)


def test_the_step_is_prediction_and_reverse_step(model):
    noisy, level, after = (
        torch.randn(2, 3, model.layout.token_dim),
        torch.full((2, 3, 2), 0.8),
        torch.full((2, 3, 2), 0.5),
    )
    after[:, 0] = 0.8
    empty = torch.zeros(2, 2, 0, 32)
    with torch.no_grad():
        moved, grown = DenoiseStep(model)(noisy, level, after, empty)
        prediction, state = model.denoiser(noisy, level, DenoiserState(tuple(empty)))
    slots = model.layout.per_slot(level)
    clean = model.parameterization.to_clean(prediction, noisy, level=slots)
    schedule = model.parameterization.schedule
    expected = reverse_step(noisy, clean, level=slots, next_level=model.layout.per_slot(after), schedule=schedule)
    assert torch.equal(moved, expected)
    assert torch.equal(moved[:, 0], noisy[:, 0])
    assert torch.equal(grown[1], state.layers[1])


@pytest.mark.parametrize(("num_tokens", "num_levels", "slope"), [(1, 1, 0.0), (5, 3, 1.0), (7, 5, 2.0), (6, 4, 0.3)])
def test_the_matrix_is_that_of_the_sampler(num_tokens, num_levels, slope):
    expected = pyramid_matrix(num_tokens, num_levels=num_levels, offset=slope).numpy()
    np.testing.assert_array_equal(pyramid_levels(num_tokens, num_levels=num_levels, offset=slope), expected)


@pytest.mark.slow
def test_the_files_name_nothing_of_this_machine(folder):
    root = __file__.partition("/tests/")[0].encode()
    for name in (ONNX_FILE, TORCH_FILE, MANIFEST_FILE):
        content = (folder / name).read_bytes()
        assert root not in content, name
        assert b"site-packages" not in content, name


WITHOUT_TORCH = """
import sys
sys.modules["torch"] = None  # importing it is now an error
import numpy as np
from pathlib import Path
from dfplan.export.onnx_planner import OnnxPlanner
planner = OnnxPlanner(Path(sys.argv[1]))
noise = planner.draw_noise([np.random.default_rng(0)], horizon=20)
print(planner.plan(np.array([[1.0, 1.0, 0.0, 0.0]]), np.array([[3.0, 3.0]]), horizon=20, noise=noise))
"""


@pytest.mark.slow
def test_planning_needs_no_torch(folder):
    answer = subprocess.run([sys.executable, "-c", WITHOUT_TORCH, folder], capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.startswith("Plan(observations=[1, ")


@pytest.mark.slow
def test_noise_of_an_environment_comes_from_its_own_generator(folder):
    planner = OnnxPlanner(folder)
    generators = [np.random.default_rng(seed) for seed in (1, 2)]
    both = planner.draw_noise(generators, horizon=9)
    assert both.shape == (2, *planner.noise_shape(9)) == (2, 3, 3, 17)
    np.testing.assert_array_equal(both[1:], planner.draw_noise([np.random.default_rng(2)], horizon=9))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"observations": np.zeros((2, 3))}, r"observations must have shape \(2, 4\)"),
        ({"goals": np.full((2, 2), np.nan)}, "goals must be finite"),
        ({"noise": np.zeros((2, 3, 1, 17))}, r"noise must have shape \(2, 3, 2, 17\)"),
    ],
)
def test_what_does_not_fit_is_refused(folder, change, said):
    given = {"observations": OBSERVATIONS, "goals": GOALS, "noise": np.zeros((2, 3, 2, 17))} | change
    with pytest.raises(UserError, match=said):
        OnnxPlanner(folder).plan(horizon=8, **given)


def test_what_needs_torch_is_not_exported(model, tmp_path):
    with pytest.raises(UserError, match=r"planner.eta=0.5 needs torch; an exported planner knows only 0.0"):
        export_planner(model, tmp_path, settings=PlannerSettings(eta=0.5), description={})
    with pytest.raises(UserError, match="only the transformer can be exported"):
        export_planner(tiny_model(tiny_denoiser("rnn")), tmp_path, settings=PlannerSettings(), description={})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_the_manifest_says_what_goes_in_and_out(folder, model):
    content = json.loads((folder / MANIFEST_FILE).read_text())
    assert content["inputs"]["noisy"] == {"dtype": "float32", "shape": ["batch", "tokens", model.layout.token_dim]}
    assert content["outputs"]["grown"]["shape"] == [2, "batch", "past + tokens", 32]
    assert (content["schedule"], content["prediction"], content["env"]) == ("linear", "velocity", "none")
    found = read_manifest(folder).scorer
    assert isinstance(found, PointMassScorer)
    assert (found.kind, found.dynamics, found.goal_radius) == ("point_mass", model.dynamics, model.goal_radius)
    np.testing.assert_array_equal(found.support.visited, model.support.visited)


@pytest.mark.slow
@pytest.mark.parametrize("name", [ONNX_FILE, TORCH_FILE, MANIFEST_FILE])
@pytest.mark.parametrize("damage", ["flip", "cut", "gone"])
def test_damage_is_found_and_named(copy, name, damage):
    path = copy / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    match damage:
        case "flip":
            path.write_bytes(content)
        case "cut":
            path.write_bytes(content[:-1])
        case _:
            path.unlink()
    with pytest.raises(UserError, match=name):
        check_file(copy, name)


def reseal(folder, **changes):
    content = json.loads((folder / MANIFEST_FILE).read_text())
    del content[SEAL]
    (folder / MANIFEST_FILE).write_bytes(sealed_json(content | changes, seal=SEAL))


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [
        {"layout": {"action_dim": 10**12}},
        {"layout": None},
        {"cache_width": True},
        {"cache_layers": 10**9},
        {"support": {"origin": [0, 0], "cell": 0.1, "shape": [10**6, 10**6], "visited_bits": "00"}},
        {"normalization": {"action_mean": [0.0]}},
        {"goal_radius": "near"},
        {"point_mass": {"decay": 1.0}},
        {"planner": 5},
        {"planner": {"unheard_of": 1}},
        {"planner": vars(ExportedSettings(3, 1.0, 3, 0.5, 1, 1, 0, 0)) | {"num_levels": 10**9}},
        {"planner": vars(ExportedSettings(3, 1.0, 3, 0.5, 1, 1, 0, 0)) | {"pyramid_offset": -1}},
    ],
    ids=str,
)
def test_a_manifest_that_makes_no_sense_is_refused(copy, changes):
    reseal(copy, **changes)
    with pytest.raises(UserError, match=r"manifest.json: does not describe an exported planner"):
        read_manifest(copy)


@pytest.mark.slow
def test_a_manifest_of_another_kind_or_version_says_so(copy):
    reseal(copy, format_version=2)
    with pytest.raises(UserError, match="format version 2, this dfplan reads 1"):
        read_manifest(copy)
    reseal(copy, kind="other")
    with pytest.raises(UserError, match="not the manifest of a dfplan export"):
        read_manifest(copy)


@pytest.mark.slow
def test_a_graph_that_reads_other_files_is_refused(copy):
    import onnx

    proto = onnx.load_model_from_string((copy / ONNX_FILE).read_bytes())
    tensor = proto.graph.initializer[0]
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../../etc/hostname")
    content = proto.SerializeToString()
    (copy / ONNX_FILE).write_bytes(content)
    files = json.loads((copy / MANIFEST_FILE).read_text())["files"]
    files[ONNX_FILE] = {"num_bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    reseal(copy, files=files)
    with pytest.raises(UserError, match="refers to other files"):
        OnnxPlanner(copy)


@pytest.mark.slow
def test_what_is_no_graph_is_refused(copy):
    (copy / ONNX_FILE).write_bytes(b"\x80\x04no graph")
    files = json.loads((copy / MANIFEST_FILE).read_text())["files"]
    files[ONNX_FILE] = {"num_bytes": 10, "sha256": hashlib.sha256(b"\x80\x04no graph").hexdigest()}
    reseal(copy, files=files)
    with pytest.raises(UserError, match="ONNX Runtime cannot load it"):
        OnnxPlanner(copy)


SENSELESS = {
    "a deviation of 0": {"normalization": {"observation_std": [1.0, 1.0, 0.0, 1.0]}},
    "a deviation of actions of 0": {"normalization": {"action_std": [0.0, 1.0]}},
    "a mean of 1e30": {"normalization": {"observation_mean": [1e30, 0.0, 0.0, 0.0]}},
    "a reward without spread": {"normalization": {"reward_std": 0.0}},
    "a reward that is text": {"normalization": {"reward_mean": "x"}},
    "a radius of 0": {"goal_radius": 0.0},
    "a radius of 1e30": {"goal_radius": 1e30},
    "a scale of 1e30": {"context_scale": 1e30},
    "a robot without speed": {"point_mass": {"max_speed": 0.0}},
    "a robot of light": {"point_mass": {"max_speed": 1e30}},
    "a robot that is pulled": {"point_mass": {"gain": -1.0}},
    "a robot that runs away": {"point_mass": {"decay": 2.0}},
    "cells of nothing": {"support": {"cell": 0.0}},
    "cells of worlds": {"support": {"cell": 1e30}},
    "a map elsewhere": {"support": {"origin": [1e9, 0.0]}},
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SENSELESS)
def test_what_cannot_have_been_measured_is_refused(copy, name):
    content = json.loads((copy / MANIFEST_FILE).read_bytes())
    del content[SEAL]
    for key, value in SENSELESS[name].items():
        content[key] = content[key] | value if isinstance(value, dict) else value
    (copy / MANIFEST_FILE).write_bytes(sealed_json(content, seal=SEAL))
    for read in (read_manifest, OnnxPlanner, verify):
        with pytest.raises(UserError, match="does not describe an exported planner"):
            read(copy)


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize("size", [1e3, 1e6, 1e18, 1e30, 1e39, 1e308])
def test_without_torch_what_is_far_or_masked_is_refused_as_well(folder, size):
    planner = OnnxPlanner(folder)
    noise = planner.draw_noise([np.random.default_rng(0)] * 2, horizon=8)
    far = OBSERVATIONS.copy()
    far[1, 2] = -size
    masked = np.ma.array(OBSERVATIONS, mask=OBSERVATIONS > 2)
    objects = OBSERVATIONS.astype(object)
    for states, goals in ((far, GOALS), (OBSERVATIONS, np.full((2, 2), size)), (masked, GOALS), (objects, GOALS)):
        with pytest.raises(UserError, match=r"must be near the data|must be an array of numbers without a mask"):
            planner.plan(states, goals, horizon=8, noise=noise)
