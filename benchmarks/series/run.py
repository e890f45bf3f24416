"""How good are forecasts of series that nobody acts on? Trains and forecasts by public commands, keeps the scores."""

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from data import AHEAD, DAYS, FORECASTS, SCENES, exchange_rates, pedestrians

sys.path.append(str(Path(__file__).parents[1]))
from crossed import crossed_interval
from frame import Benchmark, Named
from records import Record, between_marks, load, newest_of_tasks, row, source
from worlds import run, train

HERE = Path(__file__).parent
SUMMARY, README = HERE / "summary.json", HERE / "README.md"
BEGIN, END = "<!-- measured: written by benchmarks/series/run.py -->", "<!-- end of measured -->"
RATES = "exchange-rate"
# Little data: more steps learn it by heart (docs/log, "How are exchange rates forecast?").
RATES_TRAINED = ("training.num_steps=400", "task.steps_per_token=5", "env.window_tokens=12")
RATES_FORECAST = (f"num_steps={DAYS}", f"backtests={FORECASTS}", "num_futures=200")
# A token of the changes seen, after the first of them, and two of those to come.
SCENE_TRAINED = ("training.num_steps=800", "task.steps_per_token=6", "env.window_tokens=3")
SCENE_FORECAST = (f"num_steps={AHEAD}", "backtests=1", "num_futures=20", "num_levels=5")
CHOSEN = ("num_drawn=100",)


def options(parser: argparse.ArgumentParser) -> None:
    """What is to be measured."""
    parser.add_argument("tasks", nargs="*", choices=[RATES, *SCENES, []], help="none = all of them")
    parser.add_argument("--source", type=Path, required="--table" not in sys.argv and "--check" not in sys.argv)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="of the trainings")
    parser.add_argument("--runs", type=Path, default=Path("runs/series"), help="folder of tables and trainings")


def results(arguments: argparse.Namespace) -> Named:
    """One task after the other."""
    arguments.runs.mkdir(parents=True, exist_ok=True)
    for task in arguments.tasks or [RATES, *SCENES]:
        yield task, measure(task, arguments)


def measure(task: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """Everything about one task."""
    is_rates = task == RATES
    make = exchange_rates(arguments.source, arguments.runs) if is_rates else None
    learned, held_out = make or pedestrians(arguments.source, arguments.runs, scene=task)
    told, asked = (RATES_TRAINED, RATES_FORECAST) if is_rates else (SCENE_TRAINED, SCENE_FORECAST)
    found, plain, costs = [], [], {}
    for seed in arguments.seeds:
        folder = arguments.runs / f"{task}-{seed}"
        costs[str(seed)] = train(folder, ["env=none", f"data={learned}", f"seed={seed}", *told])
        words = [f"data={held_out}", f"weights={folder}", *asked]
        found.append(forecast([*words, *(() if is_rates else CHOSEN)], folder, arguments))
        if not is_rates:
            plain.append(forecast(words, folder, arguments, kind="plain"))
    rows = {name: each_training(found, name) for name in found[0]["scores"]}
    if plain:
        rows = {"dfplan": rows["dfplan"], "dfplan, as drawn": each_training(plain, "dfplan")} | rows
    return {
        "question": "how good are forecasts, beside a random walk, the last value and the last change?",
        "task": task,
        "num_forecasts": found[0]["num_forecasts"],
        "trained": told,
        "forecast": asked,
        "chosen": () if is_rates else CHOSEN,
        "weights": [each["weights"] for each in found],
        "cpu_seconds_of_training": costs,
        "rows": rows,
        "figures": {},
    }


def forecast(words: list[str], folder: Path, arguments: argparse.Namespace, *, kind: str = "forecast") -> Record:
    """The record of one `dfplan forecast`, on one thread."""
    output = folder.with_name(f"{folder.name}-{kind}-{arguments.began:%Y-%m-%d-%H%M%S}")
    run("forecast", *words, "threads=1", f"output={output}")
    return json.loads((output / "results.json").read_text())


def each_training(found: list[Record], name: str) -> dict[str, list[float]]:
    """The measures of a row, each of every training."""
    return {measure: [each["scores"][name][measure] for each in found] for measure in found[0]["scores"][name]}


def of_trainings(values: list[float]) -> dict[str, Any]:
    """Their mean, and its interval for other trainings; of one training, itself."""
    if len(values) == 1:
        return {"mean": values[0], "low": values[0], "high": values[0], "n": 1}
    # In two columns that are alike, trainings alone differ: Student's interval over them.
    return vars(crossed_interval(np.column_stack([values, values]))) | {"n": len(values)}


def summarize(records: Mapping[str, Record]) -> dict[str, Any]:
    """The figures of the newest record of each task; the mean over scenes once all of them are measured."""
    figures: dict[str, Any] = {}
    if RATES in records:
        rows = records[RATES]["rows"]
        figures[f"{RATES.replace('-', '_')}.crps_sum"] = of_trainings(rows["dfplan"]["crps_sum"])
        figures[f"{RATES.replace('-', '_')}.random_walk"] = of_trainings(rows["random walk"]["crps_sum"])
    if records.keys() >= SCENES.keys():

        def mean(name: str, measure: str) -> list[float]:
            return np.mean([records[scene]["rows"][name][measure] for scene in SCENES], axis=0).tolist()

        figures |= {f"eth_ucy.{measure}": of_trainings(mean("dfplan", measure)) for measure in ("ade", "fde")}
        rival = "constant velocity"
        figures |= {f"eth_ucy.constant_velocity_{each}": mean(rival, each)[0] for each in ("ade", "fde")}
    return dict(sorted(figures.items()))


def table(records: Mapping[str, Record]) -> str:
    """A line for each row of each task."""
    names = "task", "forecast", "CRPS_sum", "CRPS", "ADE", "FDE", "of each training", "forecasts"
    lines = [row(*names), "|---|---|" + "---:|" * (len(names) - 2)]
    for task, record in records.items():
        shown = "crps_sum" if task == RATES else "ade"
        for name, found in record["rows"].items():
            each = ", ".join(f"{value:.4g}" for value in found[shown]) if name == "dfplan" else "–"
            cells = [f"{np.mean(found[measure]):.4g}" for measure in ("crps_sum", "crps", "ade", "fde")]
            if task == RATES:
                cells[2:] = ["–", "–"]  # of unlike units
            else:
                cells[:2] = ["–", "–"]  # by 20 futures, and of places, of which sums say nothing
            lines.append(row(task, name, *cells, each, record["num_forecasts"]))
    files = "  \n".join(f"{task}: {source(record)}" for task, record in records.items())
    return "\n".join(lines) + f"\n\n{files}"


def pages() -> dict[Path, str]:
    """The figures, and the README with their table."""
    records = newest_of_tasks(load(HERE / "results"))
    records = {task: records[task] for task in (RATES, *SCENES) if task in records}
    readme = between_marks(README.read_text(), table(records), begin=BEGIN, end=END)
    return {SUMMARY: json.dumps(summarize(records), indent=1) + "\n", README: readme}


BENCHMARK = Benchmark(says=__doc__, folder=HERE, measure=results, options=options, pages=pages)

if __name__ == "__main__":
    sys.exit(BENCHMARK.main())
