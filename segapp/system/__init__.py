"""This machine or container: its limits and facts, the text files on it, and the checks of `segapp doctor`."""
