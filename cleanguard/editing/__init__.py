"""Edits of bytes, how they are written, and how they are shown."""
