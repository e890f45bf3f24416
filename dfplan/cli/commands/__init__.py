"""One module per sub-command; each has ``run(config, run_folder)`` and prints what it made."""
