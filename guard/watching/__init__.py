"""Watches models that a script loads and runs as it always did: hazards are told, nothing is refused or changed."""
