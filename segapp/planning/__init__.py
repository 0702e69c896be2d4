"""From a folder of images and masks to a complete training configuration, with a reason for every decision."""
