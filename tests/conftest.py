"""Shared by all tests: pytest puts this folder on the import path, so that ``tiny_model`` beside it can be imported."""
