"""What dfplan is compared with, behind the same contracts: Diffuser, and two drivers with privileged information."""
