"""Stands in for LeRobot (commit 7427f31) as far as a policy plug-in meets it: what its factory and loops rely on."""
