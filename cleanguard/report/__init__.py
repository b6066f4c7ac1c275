"""Renders findings: one file per output format, each the same for the same findings."""
