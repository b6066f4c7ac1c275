"""The script under migration, and the questions that every rewrite asks of it."""
