"""A model's files and what was asked for: the hub, local folders, devices, remote code, headers of weights."""
