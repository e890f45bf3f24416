"""Environments whose data is made by experts that others have published: locomotion and hands."""
