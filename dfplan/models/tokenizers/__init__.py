"""Frame tokenizers: how pictures become observations of the planner."""

from dfplan.models.tokenizers.autoencoders import AutoencoderTokenizer
from dfplan.models.tokenizers.bundle import TOKENIZER_FOLDER, build_tokenizer, load_tokenizer, save_tokenizer
from dfplan.models.tokenizers.keypoints import KeypointTokenizer
from dfplan.models.tokenizers.principal import PrincipalTokenizer
from dfplan.models.tokenizers.tokenizer import FrameTokenizer, LatentNormalizer, to_frames, to_pictures

__all__ = [
    "TOKENIZER_FOLDER",
    "AutoencoderTokenizer",
    "FrameTokenizer",
    "KeypointTokenizer",
    "LatentNormalizer",
    "PrincipalTokenizer",
    "build_tokenizer",
    "load_tokenizer",
    "save_tokenizer",
    "to_frames",
    "to_pictures",
]
