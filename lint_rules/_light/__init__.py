"""Syntax trees for looking only: libcst's nodes, made from the interpreter's own tree.

LibCST takes about sixteen times as long as `ast` to parse a file, nearly all of it for whitespace that
following values never looks at. So a file is followed on a light tree, and one in which a rule finds
something once more on a light tree whose nodes have places; only edits, and what such a tree does not
place, take a full one. benchmarks/check.py measures it. Rewrites have trees of their own,
whose nodes all have places (`exact`).

A light node has the name of libcst's class and those of its fields that hold code; whitespace, parentheses and
commas it does not have, and asking for one is an AttributeError. It can neither be printed nor changed. Its
classes are our own (`tree`), since loading libcst takes as long as checking a file or two.
"""

import sys

from lint_rules._light.places import Places
from lint_rules._light.statements import light_expression, light_module

__all__ = ["Places", "light_expression", "light_module"]

if "libcst" in sys.modules:  # who has loaded it may ask for its classes
    import lint_rules._light.full  # noqa: F401
