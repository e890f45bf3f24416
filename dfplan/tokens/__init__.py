"""Token layout and normalisation."""

from dfplan.tokens.layout import CONTEXT_TOKEN, GOAL_TOKEN, NUM_PREFIX_TOKENS, TokenLayout, without
from dfplan.tokens.normalizer import Normalizer

__all__ = ["CONTEXT_TOKEN", "GOAL_TOKEN", "NUM_PREFIX_TOKENS", "Normalizer", "TokenLayout", "without"]
