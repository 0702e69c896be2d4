"""Training and evaluation: the Lightning module and what a run needs around it."""
