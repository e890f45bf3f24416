"""``dfplan info``: versions, device and folders, as one pastes them into a bug report."""

import json
import os
import platform
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from dfplan.cli import folders
from dfplan.errors import UserError

PACKAGES = ("dfplan", "torch", "numpy", "gymnasium", "mujoco", "h5py", "hydra-core", "safetensors", "accelerate")
OPTIONAL_PACKAGES = ("minari", "wandb")


def run(words: Sequence[str]) -> int:
    """Print what is known about this installation; ``--json`` for machines."""
    match list(words):
        case []:
            facts = collect()
            width = max(len(name) for name in facts)
            for name, value in facts.items():
                print(f"{name:<{width}}  {value}")
        case ["--json"]:
            print(json.dumps(collect(), indent=1))
        case ["-h" | "--help"]:
            print("usage: dfplan info [--json]")
        case _:
            raise UserError(f"dfplan info takes no options but --json; got {' '.join(words)!r}")
    return 0


def collect() -> dict[str, Any]:
    """Everything that ``dfplan info`` says, by name."""
    import torch

    from dfplan.evaluation.report import find_commit

    facts: dict[str, Any] = {name: _version(name) for name in PACKAGES + OPTIONAL_PACKAGES}
    facts["commit"] = find_commit()
    facts["python"] = f"{platform.python_version()} ({sys.executable})"
    facts["platform"] = platform.platform()
    facts["cpu"] = f"{_cpu_name()}, {len(_usable_cpus())} cores usable"
    facts["threads"] = torch.get_num_threads()
    facts["gpu"] = torch.cuda.get_device_name() if torch.cuda.is_available() else "none"
    facts["package"] = str(folders.PACKAGE)
    facts["configs"] = str(folders.config_folder())
    bundles = sorted(path.parent.name for path in folders.bundled_weights().glob("*/model.json"))
    facts["weights"] = f"{folders.bundled_weights()} ({', '.join(bundles) or 'none'})"
    facts["cache"] = _cache()
    facts["runs"] = str(Path("runs").absolute())
    return facts


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _usable_cpus() -> list[int]:
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def _cpu_name() -> str:
    """The name of the processor; Linux keeps it in a file, elsewhere Python knows it."""
    information = Path("/proc/cpuinfo")
    if information.is_file():
        for line in information.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _cache() -> str:
    try:
        return f"{folders.cache_folder()} ({_datasets() or 'no datasets'}; DFPLAN_CACHE moves it)"
    except UserError as error:
        return f"none: {error}"


def _datasets() -> str:
    folder = folders.dataset_folder()
    return ", ".join(sorted(path.name for path in folder.glob("*.hdf5"))) if folder.is_dir() else ""
