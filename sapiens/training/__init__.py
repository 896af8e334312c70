"""Training: any task, at any size, on one process or many."""
