"""What the commands that run sessions do: demo, secc, evcc. Each has `add_arguments(parser)` and `run(options)`."""
