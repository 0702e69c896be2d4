"""A folder of images in, a folder of files out."""
