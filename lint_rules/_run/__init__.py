"""The files of a run: reading, notebooks, module names, and what one file's imports mean."""
