"""Shared by all tests: pytest puts this folder on the import path, so that ``tiny_model`` beside it can be imported."""

import os

# Whoever runs the tests may ask programs for colours, or for lines of some length.
for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "COLUMNS"):
    os.environ.pop(name, None)
