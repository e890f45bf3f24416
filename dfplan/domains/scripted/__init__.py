"""Environments that somebody drives by a script, as domains that data can be made of."""
