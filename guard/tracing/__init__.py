"""Judges what a script does while it runs: the hazards of `check`, told by ids, settings and files."""
