"""Cross-validation: every fold trained, every image scored once, and the ensemble of all."""
