"""Loads and generations that cannot be guarded become watched ones: the same calls, whose hazards are told."""
