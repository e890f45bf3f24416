"""Makes the tables of `benchmarks/series/run.py` of public files, cut as the literature has them.

Exchange rates are split as GluonTS's `exchange_rate_nips`: 6,071 days to learn from, then five forecasts of 30 days,
each from all that came before. Pedestrians (ETH and UCY) are left out scene by scene, and cut into sequences of 20
frames as Social GAN's loader does (arXiv 1803.10892): 8 are seen, 12 forecast, of all who are there throughout and not
alone.
"""

import gzip
import hashlib
import math
from pathlib import Path

import numpy as np

LEARNED_DAYS, FORECASTS, DAYS = 6071, 5, 30
CURRENCIES = ("australia", "britain", "canada", "switzerland", "china", "japan", "new_zealand", "singapore")
SEEN, AHEAD = 8, 12
LEAST = 2  # pedestrians of a sequence
SHORTEST = 8  # frames of a track to learn from
TURNS = 4  # by which tracks are turned to learn from, and mirrored
SPEEDS = (0.8, 1.0, 1.25)  # times that of the tracks to learn from
SCENES = {
    "eth": ("biwi_eth",),
    "hotel": ("biwi_hotel",),
    "univ": ("students001", "students003"),
    "zara1": ("crowds_zara01",),
    "zara2": ("crowds_zara02",),
}
SHA256 = {
    "pedestrians/biwi_eth.txt": "cf8d3fd342a15f409ebc2a1fc76b91a0f06390bd21f1e11410f3859331ab082b",
    "pedestrians/biwi_hotel.txt": "9caa771bb9153d6b809dd0916b6f86761b641e6bbb15e766c1de3133fbbb7fcf",
    "pedestrians/crowds_zara01.txt": "1147a1962a09abfb86f28c6cddcac862e095a0cf129b3016385b69eacdd09d85",
    "pedestrians/crowds_zara02.txt": "8a649d0f8c9ae75c87c4d23a85f892786b0aa30266e996c7be03e69dafff22ff",
    "pedestrians/crowds_zara03.txt": "16b3e899932c4baacd07f45013d5b921f90bc5a29eb2b0fe42f4d7c904ac3108",
    "pedestrians/students001.txt": "a6d87f278d94136fe39b8be91555487a29ac77259ae403b9dba2d5c18caf7b5b",
    "pedestrians/students003.txt": "e25798b660634330aa89f8bb259425de720e84d0873902726c1d1f4ccff21d6c",
    "pedestrians/uni_examples.txt": "61f432c0ab3070ed0ef150fbeabcd7baf839cab5495a46e6105bd747f0a092a7",
    "series/exchange_rate.txt.gz": "6a4fbb561dcdee43f071a83badbeec9223a335552278348656738b556f1c2e9d",
}


def read(source: Path, name: str) -> bytes:
    """The content of a public file, if it is the one that is meant.

    Raises:
        SystemExit: it is missing, or another.
    """
    path = source / name
    if not path.is_file():
        raise SystemExit(f"no {name} in {source}; benchmarks/series/README.md says where it is from")
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != SHA256[name]:
        raise SystemExit(f"{path} is not the file that is meant: its SHA-256 is another; get it again")
    return content


def exchange_rates(source: Path, folder: Path) -> tuple[Path, Path]:
    """Tables to learn from and to forecast."""
    text = gzip.decompress(read(source, "series/exchange_rate.txt.gz")).decode()
    days = np.loadtxt(text.splitlines(), delimiter=",")
    paths = folder / "exchange-rate.csv", folder / "exchange-rate-test.csv"
    for path, count in zip(paths, (LEARNED_DAYS, LEARNED_DAYS + FORECASTS * DAYS), strict=True):
        np.savetxt(path, days[:count], delimiter=",", header=",".join(CURRENCIES), comments="", fmt="%.10g")
    return paths


def pedestrians(source: Path, folder: Path, *, scene: str) -> tuple[Path, Path]:
    """Tables of tracks of all other scenes, turned and mirrored, and of the sequences of this one."""
    names = [Path(name).stem for name in SHA256 if name.startswith("pedestrians/")]
    files = {name: np.loadtxt(read(source, f"pedestrians/{name}.txt").decode().splitlines()) for name in names}
    learned = [
        track
        for name in sorted(set(names) - set(SCENES[scene]))
        for _, track in tracks(files[name])
        if len(track) >= SHORTEST
    ]
    paths = folder / f"{scene}.csv", folder / f"{scene}-test.csv"
    _write(paths[0], [speed * track @ turn.T for turn in turns() for speed in SPEEDS for track in learned])
    _write(paths[1], [each for name in SCENES[scene] for each in sequences(files[name])])
    return paths


def turns() -> list[np.ndarray]:
    """Matrices ``(2, 2)`` of turns all round, and of the same mirrored."""
    angles = [2 * math.pi * number / TURNS for number in range(TURNS)]
    rotations = [np.array([[math.cos(a), -math.sin(a)], [math.sin(a), math.cos(a)]]) for a in angles]
    return [rotation @ np.diag([1, side]) for rotation in rotations for side in (1, -1)]


def tracks(rows: np.ndarray) -> list[tuple[int, np.ndarray]]:
    """Where everybody went, of rows ``(n, 4)`` of frame, pedestrian, x, y: first frame's number, ``(frames, 2)``.

    A track ends where somebody is not seen for a frame.
    """
    number = {frame: index for index, frame in enumerate(np.unique(rows[:, 0]))}
    found = []
    for pedestrian in np.unique(rows[:, 1]):
        own = rows[rows[:, 1] == pedestrian]
        own = own[np.argsort(own[:, 0])]
        frames = np.array([number[frame] for frame in own[:, 0]])
        for part in np.split(np.arange(len(own)), np.flatnonzero(np.diff(frames) != 1) + 1):
            found.append((int(frames[part[0]]), own[part, 2:4]))
    return found


def sequences(rows: np.ndarray) -> list[np.ndarray]:
    """All of 20 frames ``(20, 2)`` in which two at least are there throughout."""
    length = SEEN + AHEAD
    by_frame: dict[int, list[np.ndarray]] = {}
    for first, track in tracks(rows):
        for offset in range(len(track) - length + 1):
            by_frame.setdefault(first + offset, []).append(track[offset : offset + length])
    return [each for _, together in sorted(by_frame.items()) if len(together) >= LEAST for each in together]


def _write(path: Path, parts: list[np.ndarray]) -> None:
    episodes = np.repeat(np.arange(len(parts)), list(map(len, parts)))
    table = np.column_stack([episodes, np.concatenate(parts)])
    np.savetxt(path, table, delimiter=",", header="episode,x,y", comments="", fmt=["%d", "%.6g", "%.6g"])
