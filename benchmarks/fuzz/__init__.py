"""Hostile and broken input, by the thousand, through what reads it; and processes that are killed."""
