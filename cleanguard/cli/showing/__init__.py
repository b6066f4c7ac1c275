"""What the demo does, act by act."""
