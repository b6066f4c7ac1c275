"""The other files of a run: what they hold, what they take from a file and give to it."""
