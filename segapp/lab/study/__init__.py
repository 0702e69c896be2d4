"""Ablations: one YAML describes many ordinary runs that differ only in the settings of a grid."""
