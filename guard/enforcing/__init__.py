"""Keeps every road into a guarded model checked, and says what passes and for how long."""
