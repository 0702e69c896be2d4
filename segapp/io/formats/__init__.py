"""File formats of images and masks: one class and one file each, listed in `registry`."""
