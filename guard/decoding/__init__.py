"""Decoding over fixed buffers: the same steps each time, captured once on a CUDA device."""
