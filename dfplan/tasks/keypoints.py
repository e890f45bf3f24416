"""A keypoint tokenizer for the frames of one environment: where the agent is, found without labels."""

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from dfplan.options import option
from dfplan.tasks.inputs import Inputs

if TYPE_CHECKING:
    from dfplan.data.frame_dataset import FrameDataset
    from dfplan.training.autoencoding import KeypointTask

NUM_BACKGROUND_FRAMES = 512


@dataclass
class Settings:
    """The options of the task."""

    num_keypoints: int = option("points to find in a frame; the first is the agent", low=1)
    width: int = option("channels of the network", low=1)
    foreground_weight: float = option("how much more a pixel counts that is not background", low=0)
    view: str = option("of the camera", choices=("top", "mujoco"))
    noise: float = option("largest standard deviation of noise on the pixels looked at, in [0, 1]", low=0, high=1)


def build(settings: Settings, inputs: Inputs) -> "tuple[KeypointTask, FrameDataset]":
    """The task and the frames it learns from.

    The background is what most frames show at a pixel (their median); the camera's scale is told, as that of a
    calibrated camera is known.

    Raises:
        UserError: the environment has no camera, or there are no data.
    """
    import numpy as np
    import torch

    from dfplan.blocks import PICTURE, Frames
    from dfplan.data.frame_dataset import FrameDataset
    from dfplan.data.split import hold_out
    from dfplan.domains.camera import load_camera
    from dfplan.models.tokenizers import KeypointTokenizer
    from dfplan.training.autoencoding import KeypointTask

    camera = load_camera(inputs.env_id, view=settings.view)
    places = (part.observations[:, :2] for part in hold_out(inputs.trajectories, share=0.05))
    seen, held_out = (FrameDataset({PICTURE: Frames.drawn(each, camera.render)}, places=each) for each in places)
    frames = seen.sample(NUM_BACKGROUND_FRAMES, np.random.default_rng(inputs.seed))["frames"]
    background = np.median(frames, axis=0).astype(np.float32).transpose(2, 0, 1) / 255
    sizes = {"num_keypoints": settings.num_keypoints, "width": settings.width}
    torch.manual_seed(inputs.seed)  # of the initial weights
    tokenizer = KeypointTokenizer(num_keypoints=settings.num_keypoints, width=settings.width)
    tokenizer.calibrate(
        background=torch.from_numpy(background),
        pixels_per_unit=camera.pixels_per_unit,
        origin=torch.as_tensor(camera.to_pixels(np.zeros(2)), dtype=torch.float32),
    )
    task = KeypointTask(
        tokenizer,
        settings,
        rates=inputs.optimizer,
        held_out=held_out,
        metadata={
            "env": inputs.env_name,
            "tokenizer": {"name": "keypoints", **sizes},
            "settings": asdict(settings),
            "provenance": dict(inputs.provenance),
        },
    )
    return task, seen
