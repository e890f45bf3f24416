"""What dfplan can plan for besides its mazes: any environment of Gymnasium. No torch."""

from dfplan.domains.gymnasium import GymnasiumDomain, find_domain

__all__ = ["GymnasiumDomain", "find_domain"]
