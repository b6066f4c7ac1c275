"""The hazard catalogue: hazards, model families, findings, and how to name and explain them."""
