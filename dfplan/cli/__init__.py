"""The command line: the only place that knows Hydra. It turns options into plain values and calls the packages below."""
