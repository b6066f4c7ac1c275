"""Evaluation suites as data: typed items, prompt forms, and scorers that length cannot satisfy."""
