"""Imports after the other edits: names that nothing uses any more leave, CleanModelLoader arrives."""

from __future__ import annotations

from codemods.imports.header import told
from codemods.imports.rewriting import rewrite

__all__ = ["rewrite", "told"]
