"""Ablations: from one YAML to many ordinary runs that differ only in what is varied."""
