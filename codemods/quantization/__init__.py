"""Quantization configs of a script: what they say to the loader, and whether they are still what they were."""
