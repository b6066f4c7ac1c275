"""Adapters on a guarded base: whether they fit, how they are attached, which of them take part."""
