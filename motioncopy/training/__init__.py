"""Training: stages fitted in order, updates, schedules, checkpoints, processes."""
