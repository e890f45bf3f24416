"""``dfplan export``: a trained planner as ONNX and torch.export files with a manifest."""

from dataclasses import asdict

import torch

from dfplan.cli.build import build_planner, find_weights
from dfplan.cli.folders import make_run_folder
from dfplan.cli.progress import say
from dfplan.cli.schema import ExportConfig
from dfplan.evaluation.report import find_commit
from dfplan.export.denoise_step import export_planner
from dfplan.models.bundle import bundle_checksum


def run(config: ExportConfig) -> None:
    """Export; the last line printed is the folder."""
    weights = find_weights(config.weights, env_name=config.env.name)
    cpu = torch.device("cpu")
    planner = build_planner(config.planner, weights=weights, env_name=config.env.name, device=cpu, say=say)
    folder = make_run_folder("export", env_name=config.env.name, chosen=config.output)
    description = {
        "env": asdict(config.env),
        "weights_sha256": bundle_checksum(weights),
        "commit": find_commit(),
        "torch": torch.__version__,
    }
    export_planner(planner.model, folder, settings=planner.settings, description=description)
    print(folder)
