"""The state of a walk over a program, and what values have as members."""
