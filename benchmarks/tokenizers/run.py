"""Which tokenizer keeps the agent: trains them, measures them, draws what they decode, writes the table."""

import argparse
import copy
import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from measure import NOISE, Sample, measure
from vector import trained_vector

from dfplan.blocks import PICTURE, Frames
from dfplan.cli.build import describe_weights
from dfplan.cli.folders import dataset_folder
from dfplan.cli.main import main as dfplan
from dfplan.data.frame_dataset import FrameDataset
from dfplan.data.split import hold_out
from dfplan.domains.camera import load_camera
from dfplan.domains.maze.sources import load_trajectories
from dfplan.models.tokenizers import FrameTokenizer, build_tokenizer, load_tokenizer
from dfplan.models.tokenizers.principal import PrincipalTokenizer
from dfplan.tasks.seen import find_tokenizer

sys.path.append(str(Path(__file__).parents[1]))
from frame import Benchmark, Named

HERE = Path(__file__).parent
README, RESULTS, PLOTS = HERE / "README.md", HERE / "results", HERE / "plots"
BEGIN, END = "<!-- table: written by benchmarks/tokenizers/run.py -->", "<!-- end of table -->"
TRAINED = {
    "autoencoder-tiny": ("task=autoencoder", "task.kind=tiny", "training.num_steps=600"),
    "autoencoder-kl": ("task=autoencoder", "task.kind=kl", "training.num_steps=240"),
}
Trained = tuple[Path, Sequence[str], float | None]  # where it is, with its options and minutes if it was trained here
VECTOR, PRINCIPAL = "vector of 16", "principal components"
NUM_SHOWN, NUM_PRINCIPAL = 6, 2048


def options(parser: argparse.ArgumentParser) -> None:
    """What is to be measured."""
    parser.add_argument("--envs", nargs="*", default=["pixelmaze-medium", "pixelmaze-large"])
    parser.add_argument("--runs", type=Path, default=Path("runs/tokenizers"), help="where trainings go, or lie already")
    parser.add_argument("--fit", type=int, default=3000, help="frames that probes are fitted on")
    parser.add_argument("--test", type=int, default=1000, help="frames that everything is measured on")
    parser.add_argument("--vector-steps", type=int, default=300, help="of the autoencoder without places")
    parser.add_argument("--set", nargs="*", default=[], metavar="key=value", help="options for every training")
    parser.add_argument("--seed", type=int, default=0, help="of trainings, frames and noise (default 0)")


def results(arguments: argparse.Namespace) -> Named:
    """Train what is not there yet, and measure."""
    rows = []
    for env in arguments.envs:
        trained: dict[str, Trained] = {"keypoints": (find_tokenizer("bundled", env_name=env), (), None)}
        for name, words in TRAINED.items():
            folder, minutes = arguments.runs / f"{env}-{name}", None
            if not (folder / "model").is_dir():
                said = [f"env={env}", *words, f"seed={arguments.seed}", "threads=1", *arguments.set]
                started = time.perf_counter()
                if dfplan(["train", *said, f"output={folder}"]):
                    raise SystemExit(2)
                minutes = (time.perf_counter() - started) / 60
            trained[name] = (folder / "model", words, minutes)
        rows += rows_of(env, trained, arguments=arguments)
    record = {"question": "which tokenizer keeps the agent", "seed": arguments.seed, "noise": NOISE}
    yield "", record | {"frames_fit": arguments.fit, "frames_test": arguments.test, "threads": 1, "rows": rows}


def rows_of(
    env: str,
    trained: Mapping[str, Trained],
    *,
    arguments: argparse.Namespace,
) -> list[dict[str, Any]]:
    """Measures of the trained tokenizers and of what they are compared with."""
    seed = arguments.seed
    datasets = frame_datasets(env)
    fit, test = (
        sample(each, number, seed=seed) for each, number in zip(datasets, (arguments.fit, arguments.test), strict=True)
    )
    torch.set_num_threads(1)
    loaded = {name: load_tokenizer(each[0]) for name, each in trained.items()}
    tokenizers: dict[str, FrameTokenizer] = {name: tokenizer for name, (tokenizer, _) in loaded.items()}
    background = tokenizers["autoencoder-tiny"].background
    started = time.perf_counter()
    tokenizers[VECTOR] = trained_vector(*datasets, background=background, seed=seed, num_steps=arguments.vector_steps)
    minutes = {name: each[2] for name, each in trained.items()} | {VECTOR: (time.perf_counter() - started) / 60}
    tokenizers[PRINCIPAL] = principal(fit, latent_dim=tokenizers["autoencoder-tiny"].latent_dim)
    for name in ("autoencoder-tiny", "autoencoder-kl"):
        tokenizers[f"{name}, untrained"] = untrained(name, like=tokenizers[name], fit=fit, seed=seed)
        tokenizers[f"{name}, scaled by one number"] = rescaled(tokenizers[name], fit=fit)
    rows = []
    for name, tokenizer in tokenizers.items():
        facts: dict[str, Any] = {"env": env, "tokenizer": name, "training_minutes": minutes.get(name)}
        if name in trained:
            facts["options"] = list(trained[name][1])
            facts["weights"] = describe_weights(trained[name][0], loaded[name][1])
        rows.append(facts | measure(tokenizer, fit=fit, test=test, seed=seed))
        print(line_of(rows[-1]), flush=True)
    shown = {name: each for name, each in tokenizers.items() if name in (*trained, VECTOR, PRINCIPAL)}
    picture(shown, test.frames[:NUM_SHOWN], path=PLOTS / f"{env}.png")
    return rows


def frame_datasets(env: str) -> tuple[FrameDataset, FrameDataset]:
    """Frames of the data, and frames of trajectories that no tokenizer was trained on."""
    camera = load_camera(f"{env}-v1")
    trajectories = load_trajectories("generated", env_id=f"{env}-v1", cache_folder=dataset_folder(), say=print)
    places = [part.observations[:, :2] for part in hold_out(trajectories, share=0.02)]
    first, second = (FrameDataset({PICTURE: Frames.drawn(each, camera.render)}, places=each) for each in places)
    return first, second


def sample(dataset: FrameDataset, number: int, *, seed: int) -> Sample:
    """So many frames, the same for every tokenizer."""
    batch = dataset.sample(number, np.random.default_rng([seed, 1]))
    return Sample(torch.from_numpy(batch["frames"]), batch["places"])


def principal(fit: Sample, *, latent_dim: int) -> FrameTokenizer:
    """As many principal components of frames as the autoencoders have numbers."""
    tokenizer = PrincipalTokenizer(latent_dim=latent_dim)
    tokenizer.fit(fit.frames[:NUM_PRINCIPAL])
    return tokenizer


def untrained(name: str, *, like: FrameTokenizer, fit: Sample, seed: int) -> FrameTokenizer:
    """The network of ``like`` with random weights, its latents normalized all the same."""
    torch.manual_seed(seed)
    tokenizer = build_tokenizer(name).eval()
    tokenizer.background.copy_(like.background)  # type: ignore[operator]
    tokenizer.normalizer.fit(tokenizer.encode(fit.frames))
    return tokenizer


def rescaled(tokenizer: FrameTokenizer, *, fit: Sample) -> FrameTokenizer:
    """The same tokenizer with all latents divided by one number, their common standard deviation."""
    other = copy.deepcopy(tokenizer)
    other.normalizer.fit(tokenizer.normalizer.back(tokenizer.encode(fit.frames)), per_dimension=False)
    return other


def picture(tokenizers: Mapping[str, FrameTokenizer], frames: torch.Tensor, *, path: Path) -> None:
    """Originals and, below them, what each tokenizer makes of them."""
    import matplotlib.pyplot as plt

    shown = {"frame": frames} | {name: each.decode(each.encode(frames)) for name, each in tokenizers.items()}
    figure, axes = plt.subplots(len(shown), len(frames), figsize=(1.6 * len(frames), 1.7 * len(shown)), squeeze=False)
    for line, (name, pictures) in zip(axes, shown.items(), strict=True):
        for axis, each in zip(line, pictures, strict=True):
            axis.imshow(each.numpy(), interpolation="nearest")
            axis.set_xticks([])
            axis.set_yticks([])
        line[0].set_ylabel(name, fontsize=8)
    figure.tight_layout()
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, dpi=80)
    plt.close(figure)


def pages() -> dict[Path, str]:
    """The README with the table of the newest result file."""
    paths = sorted(RESULTS.glob("*.json"))
    before, rest = README.read_text().split(BEGIN)
    after = rest.split(END)[1]
    table = render(json.loads(paths[-1].read_text()), paths[-1].name) if paths else "No result file yet."
    return {README: f"{before}{BEGIN}\n\n{table}\n\n{END}{after}"}


def render(record: Mapping[str, Any], file: str) -> str:
    """The table of a record."""
    head = (
        "maze", "tokenizer", "decoded", "decoded, noisy", "linear probe", "linear, noisy", "3 neighbours",
        "neighbours, noisy", "std max / min", "numbers", "parameters", "minutes", "frames/s",
    )  # fmt: skip
    return "\n".join(
        [
            f"| {' | '.join(head)} |",
            "|---|---|" + "---:|" * (len(head) - 2),
            *(line_of(row) for row in record["rows"]),
            "",
            f"[{file}](results/{file}): {record['frames_test']} frames, probes fitted on {record['frames_fit']}, seed "
            f"{record['seed']}, {record['machine']}, {record['threads']} thread, commit `{record['commit'][:12]}`",
        ]
    )


def line_of(row: Mapping[str, Any]) -> str:
    """One line of the table."""

    def error(part: str, probe: str) -> str:
        found = row[part][probe]
        return f"{found['median']:.3f} / {found['p95']:.2f}"

    errors = [error(part, probe) for probe in ("decoded", "linear", "neighbours") for part in ("clean", "noisy")]
    minutes, speed = row.get("training_minutes"), row["encoded_frames_per_second"]
    cells = (
        row["env"].removeprefix("pixelmaze-"), row["tokenizer"], *errors, f"{row['raw_std_max_over_min']:,.1f}",
        str(row["latent_dim"]), f"{row['parameters']:,}", "–" if minutes is None else f"{minutes:.1f}",
        "–" if speed is None else f"{speed:,.0f}",
    )  # fmt: skip
    return f"| {' | '.join(cells)} |"


BENCHMARK = Benchmark(says=__doc__, folder=HERE, measure=results, options=options, pages=pages)

if __name__ == "__main__":
    sys.exit(BENCHMARK.main())
