"""Stands in for LeRobot 0.6.1 as far as a policy plug-in meets it: what its factory and loops rely on."""
