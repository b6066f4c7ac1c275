"""Walks the code: statements, expressions, definitions, calls, imports."""
