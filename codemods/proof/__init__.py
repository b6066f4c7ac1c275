"""What must hold before a rewritten file is written, statically and by running it."""
