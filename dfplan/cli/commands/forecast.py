"""``dfplan forecast``: how a series that nobody acts on may go on, and how good such forecasts were."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from dfplan.cli.build import describe_weights, find_weights, select_device
from dfplan.cli.compose import plain
from dfplan.cli.folders import dataset_folder, make_run_folder
from dfplan.cli.progress import progress_bar, say
from dfplan.cli.schema import ForecastConfig
from dfplan.domains.find import find_domain
from dfplan.errors import UserError
from dfplan.evaluation.forecasts import RIVALS, score
from dfplan.evaluation.report import RECORD_SEAL, circumstances
from dfplan.files import sealed_json, write_whole, written_whole
from dfplan.models.forcing_model import load_forcing_model
from dfplan.planner.forecast import ROWS_AT_ONCE, SETTINGS, Forecaster, representatives
from dfplan.types import Trajectories
from dfplan.viz.fans import draw_fans


@dataclass(frozen=True)
class Origin:
    """Where a forecast begins.

    Attributes:
        episode: number of the episode.
        row: of the episode, the first that is forecast.
        history: ``(rows, dim)`` all before it.
        truth: ``(num_steps, dim)`` what came; of no rows where the data end.
    """

    episode: int
    row: int
    history: np.ndarray
    truth: np.ndarray


def run(config: ForecastConfig) -> None:
    """Forecast; the last line printed is the path of the results."""
    if config.data is None or config.weights is None:
        raise UserError("a forecast needs data=<file>.csv or .npy, and weights=<run folder of dfplan train env=none>")
    if config.num_drawn is not None and config.num_drawn < config.num_futures:
        raise UserError(f"num_drawn={config.num_drawn} is fewer than num_futures={config.num_futures}; give more")
    device = select_device(config.device, threads=config.threads)
    weights = find_weights(config.weights, env_name=config.env.name)
    model = load_forcing_model(weights).to(str(device))
    forecaster = Forecaster(model, settings=replace(SETTINGS, num_levels=config.num_levels))
    data = find_domain(config.env.id).load(config.data, say=say, cache_folder=dataset_folder())
    origins = find_origins(data, config, least=forecaster.least_history, dim=model.layout.observation_dim)
    futures = _draw(forecaster, origins, config)
    folder = make_run_folder("forecast", env_name=config.env.name, chosen=config.output)
    with written_whole(folder / "futures.npz") as path, path.open("wb") as file:
        np.savez(file, futures=futures, episode=[each.episode for each in origins], row=[each.row for each in origins])
    scores: dict[str, Any] = {}
    if config.backtests:
        truth = np.stack([each.truth for each in origins])
        rivals = {name: _rival(rule, origins, config) for name, rule in RIVALS.items()}
        scores = {name: score(each, truth) for name, each in {"dfplan": futures, **rivals}.items()}
        Console().print(_table(scores, title=f"{len(origins)} forecasts of {config.num_steps} rows, {config.data}"))
    record = {
        **circumstances(),
        "weights": describe_weights(weights, model.metadata),
        "source": data.source,
        "num_forecasts": len(origins),
        "scores": scores,
        "config": plain(config),
    }
    shown = origins[-1]
    names = data.observation_names or tuple(map(str, range(data.observations.shape[1])))
    print(draw_fans(shown.history, futures[-1], truth=shown.truth, names=names, path=folder / "fans.png"))
    path = folder / "results.json"
    write_whole(path, sealed_json(record, seal=RECORD_SEAL))
    print(path)


def find_origins(data: Trajectories, config: ForecastConfig, *, least: int, dim: int) -> list[Origin]:
    """Where forecasts begin: at the end of every episode, or, with ``backtests``, before its last rows.

    Raises:
        UserError: no episode is long enough, or rows are of another width than the ``dim`` of the weights.
    """
    rows = np.asarray(data.observations, np.float64)
    if rows.shape[1] != dim:
        raise UserError(f"{data.source} has {rows.shape[1]} numbers a row, and the weights forecast {dim}")
    origins = []
    for episode, (first, last) in enumerate(zip(data.starts[:-1], data.starts[1:], strict=True)):
        for back in range(config.backtests, 0, -1) if config.backtests else (0,):
            row = int(last - first) - back * config.num_steps
            if row >= least:
                truth = rows[first + row : first + row + config.num_steps * bool(back)]
                origins.append(Origin(episode, row, rows[first : first + row], truth))
    if not origins:
        raise UserError(
            f"no episode of {data.source} has {least} rows of history"
            + (f" before its last {config.num_steps}" if config.backtests else "")
            + "; give longer data, or fewer num_steps="
        )
    return origins


def _draw(forecaster: Forecaster, origins: list[Origin], config: ForecastConfig) -> np.ndarray:
    """Futures ``(forecasts, num_futures, num_steps, dim)``; those of equally long histories are made together."""
    histories = [each.history[-forecaster.most_history :] for each in origins]
    lengths = np.array([len(each) for each in histories])
    futures = np.zeros((len(origins), config.num_futures, config.num_steps, histories[0].shape[1]))
    drawn = config.num_drawn or config.num_futures
    at_once, done = max(ROWS_AT_ONCE // drawn, 1), 0
    with progress_bar("forecasts") as show:
        for length in np.unique(lengths):
            alike = np.flatnonzero(lengths == length)
            for part in np.split(alike, range(at_once, len(alike), at_once)):
                seeds = [(config.seed, int(index), number) for index in part for number in range(drawn)]
                generators = [torch.Generator().manual_seed(_seed(*each)) for each in seeds]
                history = np.stack([histories[index] for index in part])
                made = forecaster.forecast(history, config.num_steps, generators=generators)
                futures[part] = made if config.num_drawn is None else representatives(made, config.num_futures)
                done += len(part)
                show(done, len(origins))
    return futures


def _seed(*numbers: int) -> int:
    """One seed of several numbers, so that a future depends on its own alone."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> 1)


def _rival(rule: Any, origins: list[Origin], config: ForecastConfig) -> np.ndarray:
    generator = np.random.default_rng(config.seed)
    sizes = {"num_steps": config.num_steps, "num_futures": config.num_futures}
    return np.stack([rule(each.history, generator=generator, **sizes) for each in origins])


def _table(scores: Mapping[str, Mapping[str, Any]], *, title: str) -> Table:
    table = Table(title=title)
    table.add_column("forecast")
    for name in scores["dfplan"]:
        table.add_column(name.replace("_", " "), justify="right")
    for name, each in scores.items():
        table.add_row(name, *(f"{value:.4g}" for value in each.values()))
    return table
