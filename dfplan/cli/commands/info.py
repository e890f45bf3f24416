"""``dfplan info``: versions, device and folders, as one pastes them into a bug report."""

import json
import os
import platform
import re
import sys
from collections import defaultdict
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, entry_points, requires, version
from pathlib import Path
from typing import Any

from dfplan.cli import folders
from dfplan.errors import UserError

PACKAGES = ("dfplan", "torch", "numpy", "gymnasium", "mujoco", "h5py", "hydra-core", "safetensors", "accelerate")
OPTIONAL = re.compile(r"""([\w.-]+).*;.*extra == ['"]([\w-]+)['"]""")  # a package and its extra, in our metadata
NOT_INSTALLED = "not installed"
FOR_DEVELOPMENT = ("dev", "release", "docs", "peers", "d4rl")  # extras that no command of dfplan asks for
PLUGIN_GROUPS = ("domains", "denoisers", "scorers", "tokenizers", "objectives")  # see docs/plugins.md
# Variables that change what dfplan does, or how fast.
VARIABLES = (
    *("DFPLAN_CACHE", "MINARI_DATASETS_PATH", "HF_HOME", "OMP_NUM_THREADS", "OMP_WAIT_POLICY", "MKL_NUM_THREADS"),
    *("CUDA_VISIBLE_DEVICES", "MUJOCO_GL", "MPLBACKEND", "PYTHONPATH", "LANG", "LC_ALL", "NO_COLOR"),
)


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

    facts: dict[str, Any] = {name: _version(name) for name in PACKAGES}
    facts["extras"], facts["extras missing"] = _extras()
    facts["plug-ins"] = _plugins() or "none"
    facts["commit"] = find_commit()
    facts["python"] = f"{platform.python_version()} ({sys.executable})"
    facts["platform"] = platform.platform()
    facts["cpu"] = f"{_cpu_name()}, {len(_usable_cpus())} cores usable"
    facts["threads"] = torch.get_num_threads()
    facts["gpu"] = torch.cuda.get_device_name() if torch.cuda.is_available() else "none"
    facts["memory"] = _memory()
    facts["variables"] = ", ".join(f"{name}={os.environ[name]}" for name in VARIABLES if name in os.environ) or "none"
    facts["terminal"] = f"{sys.stdout.encoding}, {'a terminal' if sys.stdout.isatty() else 'no terminal'}"
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
        return NOT_INSTALLED


def _extras() -> tuple[str, str]:
    """Extras of which anything is installed, with the versions of all their packages, and those of which nothing is."""
    packages: dict[str, list[str]] = defaultdict(list)
    try:
        requirements = requires("dfplan") or ()
    except PackageNotFoundError:
        return "unknown", "unknown: dfplan is not installed, and runs from a folder of its source"
    for each in requirements:
        if (found := OPTIONAL.match(each)) and found[2] not in FOR_DEVELOPMENT and found[1] not in PACKAGES:
            packages[found[2]].append(found[1])
    here = {extra: names for extra, names in packages.items() if any(map(_is_installed, names))}
    told = (f"{extra} ({', '.join(f'{name} {_version(name)}' for name in names)})" for extra, names in here.items())
    return "; ".join(told) or "none", ", ".join(extra for extra in packages if extra not in here) or "none"


def _is_installed(package: str) -> bool:
    return _version(package) != NOT_INSTALLED


def _plugins() -> str:
    """What other packages bring, as ``group: name``."""
    found = {(group, each.name) for group in PLUGIN_GROUPS for each in entry_points(group=f"dfplan.{group}")}
    return ", ".join(f"{group}: {name}" for group, name in sorted(found))


def _memory() -> str:
    import psutil

    return f"{psutil.virtual_memory().total / 2**30:.1f} GiB"


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
