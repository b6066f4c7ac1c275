"""What a configuration, a comment or a baseline says about a run."""
