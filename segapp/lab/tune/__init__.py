"""Alternatives to a plan, compared by training them: successive halving with equal time for each run."""
