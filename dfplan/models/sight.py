"""What is planned from where pictures are shown: their latents, how these and the actions changed, numbers beside them.

A picture has no speed in it. So an observation holds, behind the latents of now, by how much they changed over the last
``stride`` steps, over those before, and the mean action of each of these stretches: all that an agent knows itself.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dfplan.blocks import NUMBERS, Frames, slices, stacked
from dfplan.errors import UserError
from dfplan.files import written_whole
from dfplan.models.bundle import bundle_checksum, load_bundle, save_bundle
from dfplan.models.tokenizers import TOKENIZER_FOLDER, FrameTokenizer, load_tokenizer
from dfplan.types import Trajectories

CHUNK = 2048  # rows whose pictures are in memory at a time
SIZES = ("latent_dim", "state_dim", "action_dim", "stack", "stride")


@dataclass(frozen=True)
class LatentSight:
    """Turns what is shown into observations ``[latents, numbers, changes of latents, mean actions]``.

    What it remembers of an episode are vectors ``(batch, n)``, so that whoever acts can keep them as they like.

    Attributes:
        tokenizer: frozen; the same for all cameras.
        folder: where its bundle lies.
        latent_dim: numbers in the latents of all pictures that are shown at a time.
        state_dim: numbers shown beside them.
        action_dim: numbers in an action.
        stack: moments whose latents an observation holds, the present one included.
        stride: steps between these.
    """

    tokenizer: FrameTokenizer
    folder: Path
    latent_dim: int
    state_dim: int
    action_dim: int
    stack: int
    stride: int

    tells_places = False

    @property
    def observation_dim(self) -> int:
        """Numbers in an observation."""
        return self.stack * self.latent_dim + self.state_dim + (self.stack - 1) * self.action_dim

    @property
    def place_dim(self) -> int:
        """Leading numbers of an observation that say what is seen now."""
        return self.latent_dim

    @property
    def _memory(self) -> int:
        return (self.stack - 1) * self.stride

    @property
    def _scale(self) -> np.ndarray:
        """How much each normalized latent varies as the tokenizer has it, ``(latent_dim,)``, up to 1."""
        std = self.tokenizer.normalizer.std.numpy()
        return np.tile(std / std.max(), self.latent_dim // len(std))

    def places(self, shown: np.ndarray) -> np.ndarray:
        """Latents ``(n, latent_dim)`` float32 of what is shown: pictures ``(n, …)`` uint8, or records of several.

        They are near each other where what is shown is alike. Normalized, as networks bring them to, what varies
        little would count as much as what varies most, and hardly any two be near.
        """
        names = sorted(name for name in shown.dtype.names or () if name != NUMBERS)
        return self._scale * self._normalized([shown[name] for name in names] if names else [shown])

    def _normalized(self, pictures: list[np.ndarray]) -> np.ndarray:
        """Normalized latents of the pictures ``(n, …, height, width, channels)`` of each camera."""
        found = []
        for each in pictures:
            frames = torch.as_tensor(np.ascontiguousarray(each.reshape(-1, *each.shape[-3:])))
            found.append(self.tokenizer.encode(frames).numpy().reshape(len(each), -1))
        latents = np.concatenate(found, axis=1)
        if latents.shape[1] != self.latent_dim:
            raise UserError(
                f"what is shown has {latents.shape[1]} numbers in its latents, and the weights were trained on "
                f"{self.latent_dim}; show as many pictures as in training"
            )
        return latents

    def normalized(self, places: np.ndarray) -> np.ndarray:
        """Latents ``(n, latent_dim)`` float32 as the tokenizer decodes them."""
        return (places / self._scale).astype(np.float32)

    def frames(self, places: np.ndarray) -> np.ndarray:
        """Pictures ``(n, height, width, channels)`` uint8 of latents ``(n, latent_dim)``; of several, the last."""
        wanted = self.normalized(places)[:, -self.tokenizer.latent_dim :]
        return self.tokenizer.decode(torch.from_numpy(wanted)).numpy()

    def goals(self, told: np.ndarray) -> np.ndarray:
        """Goals ``(batch, latent_dim)`` of pictures of what is wanted; of no numbers where there are no goals.

        Raises:
            UserError: they are no pictures.
        """
        if told.ndim == 2 and not told.shape[1]:
            return told
        if told.dtype != np.uint8 or told.ndim < 4:
            raise UserError("weights of latents are told their goal as a picture; give goal_given=image")
        return self.places(told)

    def begin(self, shown: np.ndarray) -> np.ndarray:
        """What is remembered ``(batch, n)`` float32 where an episode begins with what is shown, at rest."""
        latents, done = self.places(shown), np.zeros((len(shown), self._memory * self.action_dim), np.float32)
        numbers = shown[NUMBERS] if NUMBERS in (shown.dtype.names or ()) else np.zeros((len(shown), 0), np.float32)
        return np.concatenate([np.tile(latents, self._memory + 1), numbers, done], axis=1)

    def follow(self, memory: np.ndarray, *, actions: np.ndarray, fresh: np.ndarray) -> np.ndarray:
        """What is remembered a step later.

        Args:
            memory: what was remembered.
            actions: ``(batch, action_dim)``, carried out since.
            fresh: what :meth:`begin` makes of what is shown now.
        """
        latents, _, done = self._parts(memory)
        present, numbers, _ = self._parts(fresh)
        latents = np.concatenate([latents[:, 1:], present[:, -1:]], axis=1)
        done = np.concatenate([done, actions[:, None]], axis=1)[:, 1:] if self._memory else done
        parts = latents.reshape(len(memory), -1), numbers, done.reshape(len(memory), -1)
        return np.concatenate(parts, axis=1, dtype=np.float32)

    def told(self, memory: np.ndarray) -> np.ndarray:
        """Observations ``(batch, observation_dim)`` float32 of what is remembered."""
        latents, numbers, done = self._parts(memory)
        moments = latents[:, :: -self.stride]  # the present one first
        means = done.reshape(len(memory), self.stack - 1, self.stride, self.action_dim).mean(axis=2)[:, ::-1]
        return self._joined(list(moments.swapaxes(0, 1)), numbers, list(means.swapaxes(0, 1)))

    def observations(self, history: np.ndarray) -> np.ndarray:
        """Observations of the last latents ``(moments, batch, latent_dim)`` alone, oldest first; no actions are known.

        Numbers beside them are taken for zero.
        """
        kept = history[-self._memory - 1 :]
        latents = np.concatenate([kept[:1].repeat(self._memory + 1 - len(kept), axis=0), kept]).swapaxes(0, 1)
        rest = np.zeros((len(latents), self.state_dim + self._memory * self.action_dim), np.float32)
        return self.told(np.concatenate([latents.reshape(len(latents), -1), rest], axis=1))

    def look(
        self, data: Trajectories, *, cache_folder: Path, on_progress: Callable[[int, int], None] | None = None
    ) -> Trajectories:
        """Data with observations in the place of pictures; the latents are kept in the cache, and mapped from there.

        Args:
            data: with pictures; its observations are the numbers shown beside them.
            cache_folder: for latents.
            on_progress: called as ``on_progress(rows_done, rows)``.
        """
        assert data.pictures is not None
        latents, scale = self._cached(data.pictures, cache_folder, on_progress), self._scale
        begins = data.starts[:-1].repeat(np.diff(data.starts))
        acted = np.concatenate([np.zeros((1, self.action_dim)), np.cumsum(data.actions, axis=0, dtype=np.float64)])

        def observed(rows: slice) -> np.ndarray:
            now, first = np.arange(rows.start, rows.stop), begins[rows]
            moments = [np.maximum(now - back * self.stride, first) for back in range(self.stack)]
            means = [(acted[new] - acted[old]) / self.stride for new, old in pairwise(moments)]
            return self._joined([scale * latents[each] for each in moments], data.observations[rows], means)

        blocks = (observed(rows) for rows in slices(len(data), 4.0 * self.observation_dim))
        return replace(
            data, observations=stacked(blocks), source=f"{data.source}, seen", observation_names=(), pictures=None
        )

    def _cached(
        self, pictures: Mapping[str, Frames], folder: Path, on_progress: Callable[[int, int], None] | None
    ) -> np.ndarray:
        """Normalized latents ``(rows, latent_dim)`` of pictures, from a file or else written to it."""
        frames = [pictures[name] for name in sorted(pictures)]
        marks = "-".join(
            [bundle_checksum(self.folder)[:16], *(f"{each.checksum[:16]}-{each.first}" for each in frames)]
        )
        path, rows = folder / f"{marks}-{len(frames[0])}.npy", len(frames[0])
        if not path.is_file():
            with written_whole(path) as temporary:
                latents = np.lib.format.open_memmap(temporary, "w+", np.float32, (rows, self.latent_dim))
                for first in range(0, rows, CHUNK):
                    chosen = np.arange(first, min(first + CHUNK, rows))
                    latents[chosen] = self._normalized([each.at(chosen) for each in frames])
                    if on_progress is not None:
                        on_progress(int(chosen[-1]) + 1, rows)
                latents.flush()
        return np.load(path, mmap_mode="r", allow_pickle=False)

    def description(self) -> dict[str, Any]:
        """What a planner's bundle says of it."""
        sizes = {name: getattr(self, name) for name in SIZES}
        return {"latents": sizes, "tokenizer_sha256": bundle_checksum(self.folder)}

    def _parts(self, memory: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Latents ``(batch, moments, latent_dim)``, oldest first, numbers, actions ``(batch, steps, action_dim)``."""
        ends = np.cumsum([(self._memory + 1) * self.latent_dim, self.state_dim])
        latents, numbers, done = np.split(memory, ends, axis=1)
        batch = len(memory)
        return (
            latents.reshape(batch, self._memory + 1, self.latent_dim),
            numbers,
            done.reshape(batch, self._memory, self.action_dim),
        )

    def _joined(self, moments: list[np.ndarray], numbers: np.ndarray, means: list[np.ndarray]) -> np.ndarray:
        changes = [new - old for new, old in pairwise(moments)]
        return np.concatenate([moments[0], numbers, *changes, *means], axis=1, dtype=np.float32)


def open_sight(folder: Path, data: Trajectories, *, stack: int, stride: int) -> LatentSight:
    """What looks at data with the tokenizer of a bundle.

    Raises:
        UserError: the tokenizer is missing or damaged, or reads pictures of another size.
    """
    tokenizer, _ = load_tokenizer(folder)
    shapes = {name: each.shape for name, each in (data.pictures or {}).items()}
    if wrong := {name: shape for name, shape in shapes.items() if shape[-3:] != tokenizer.frame_shape}:
        raise UserError(
            f"{folder} reads pictures of {tokenizer.frame_shape}, and {data.source} has {wrong}; train a tokenizer on "
            "these: `dfplan train task=autoencoder`"
        )
    together = sum(int(np.prod(shape[:-3])) for shape in shapes.values())
    sizes = {"state_dim": data.observations.shape[1], "action_dim": data.actions.shape[1]}
    return LatentSight(tokenizer, folder, together * tokenizer.latent_dim, stack=stack, stride=stride, **sizes)


def load_sight(weights: Path, description: Mapping[str, Any]) -> LatentSight:
    """What a planner was trained to see with, from its bundle.

    Raises:
        UserError: the tokenizer is missing, damaged or another one, or the description makes no sense.
    """
    folder = weights / TOKENIZER_FOLDER
    try:
        sizes, wanted = dict(description["latents"]), description["tokenizer_sha256"]
        if set(sizes) != set(SIZES) or not all(type(each) is int and 0 <= each <= 10**6 for each in sizes.values()):
            raise ValueError(f"its sizes must be {', '.join(SIZES)}, whole numbers; got {sizes!r:.100}")
        if min(sizes["stack"], sizes["stride"], sizes["latent_dim"]) < 1:
            raise ValueError("stack, stride and latent_dim must be at least 1")
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{weights} does not say how it sees pictures ({error}); train it again") from error
    sight = LatentSight(load_tokenizer(folder)[0], folder, **sizes)
    if bundle_checksum(folder) != wanted:
        raise UserError(f"{folder} is not the tokenizer that {weights} was trained with; copy the whole folder again")
    return sight


def copier(folder: Path) -> Callable[[Path], None]:
    """What writes the bundle of a tokenizer again, into the folder of a planner's bundle."""
    tensors, metadata = load_bundle(folder)
    return lambda weights: save_bundle(weights / TOKENIZER_FOLDER, tensors, metadata)
