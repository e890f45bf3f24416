"""Where the agent is in a picture, read without any training: the centre of what is not background."""

import torch
from torch import Tensor

# Shares of the strongest difference in a picture. Fainter than the first is the halo that a decoder leaves about an
# agent; above the second all counts the same, so that an agent half over what is dark, from which it differs less, is
# not drawn to what is bright.
_FAINT, _FULL = 0.4, 0.55


def foreground_centres(pictures: Tensor, background: Tensor) -> Tensor:
    """Row and column, in pixels from the upper left corner, of the mean place of what differs from the background.

    Args:
        pictures: ``(n, channels, height, width)``.
        background: ``(channels, height, width)``.

    Returns:
        ``(n, 2)``; the middle of the picture where nothing differs.
    """
    difference = (pictures - background).abs().sum(dim=1)
    share = difference / difference.amax(dim=(1, 2), keepdim=True).clamp(min=1e-12)
    strength = ((share - _FAINT) / (_FULL - _FAINT)).clamp(0, 1) + 1e-12
    total = strength.sum(dim=(1, 2))
    rows, columns = (torch.arange(length, device=pictures.device) + 0.5 for length in strength.shape[1:])
    return (
        torch.stack([(strength.sum(dim=2) * rows).sum(dim=1), (strength.sum(dim=1) * columns).sum(dim=1)], 1)
        / total[:, None]
    )
