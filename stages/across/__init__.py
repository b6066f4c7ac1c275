"""Compares any number of finished runs: one table and one page, with paired and clustered tests."""
