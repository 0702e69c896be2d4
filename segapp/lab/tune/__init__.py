"""Compare alternatives to a plan by training them: successive halving with equal time for each run."""
