"""Mending holes of the archive: what is where, and how it is brought to where it is not."""
