"""Training and evaluation: the Lightning module, the run folder, and the settings of the trainer."""
