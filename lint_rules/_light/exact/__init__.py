"""Exact trees: light ones in which all that libcst tells apart has its place, at a tenth of the cost of libcst's.

They are made from the interpreter's own tree and from the text. Every node has the fields of libcst's that hold
code, in its order, and the place that libcst gives it; whitespace it does not have. What cannot be shown as
libcst shows it (form feeds, `match`, some f-strings) is an `InexactError`, and a full tree serves.
"""

from lint_rules._light.exact.nodes import CLASSES, ORDER, InexactError
from lint_rules._light.exact.positions import ExactPositions, exact_module

__all__ = ["CLASSES", "ORDER", "ExactPositions", "InexactError", "exact_module"]
