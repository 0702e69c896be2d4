"""Cross-validation: train every fold, score every image once, and write the ensemble."""
