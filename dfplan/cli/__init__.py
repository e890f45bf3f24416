"""The command line: the only place that knows Hydra. It turns options into plain values for the packages below."""
