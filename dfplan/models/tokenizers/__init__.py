"""Frame tokenizers: how pictures become observations of the planner."""

from dfplan.models.tokenizers.autoencoders import AutoencoderTokenizer
from dfplan.models.tokenizers.bundle import build_tokenizer, load_tokenizer, save_tokenizer
from dfplan.models.tokenizers.keypoints import KeypointTokenizer
from dfplan.models.tokenizers.motion import MotionFilter, follow_trajectories
from dfplan.models.tokenizers.observer import FrameObserver, load_keypoints, load_observer
from dfplan.models.tokenizers.principal import PrincipalTokenizer
from dfplan.models.tokenizers.tokenizer import FrameTokenizer, LatentNormalizer, to_frames, to_pictures

__all__ = [
    "AutoencoderTokenizer",
    "FrameObserver",
    "FrameTokenizer",
    "KeypointTokenizer",
    "LatentNormalizer",
    "MotionFilter",
    "PrincipalTokenizer",
    "build_tokenizer",
    "follow_trajectories",
    "load_keypoints",
    "load_observer",
    "load_tokenizer",
    "save_tokenizer",
    "to_frames",
    "to_pictures",
]
