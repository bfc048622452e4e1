"""One visible training loop, its schedules and its checkpoints."""
