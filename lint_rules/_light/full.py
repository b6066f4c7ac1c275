"""Libcst's own nodes, for who makes or takes full trees; import this before a full tree is looked at.

It makes the two kinds of nodes instances of each other's classes: `isinstance` says the same of a full node and
of a light one, whether it is asked with libcst's class or with the one of `lint_rules._light.tree`.
"""

from __future__ import annotations

import libcst as cst

from lint_rules._light import light_module, tree  # noqa: F401 - fills FIELDS
from lint_rules._light.nodes import FIELDS

# Their light nodes have a field that is a property of the full ones.
_LITERALS = ("SimpleString", "Integer", "Float")


def _share() -> None:
    names = ["CSTNode", *(name for below in tree.BELOW.values() for name in below.split())]
    for name in names:
        full = getattr(cst, name, None)  # some are in newer versions only
        if full is not None:
            full.__bases__ = (*full.__bases__, getattr(tree, name))
    for light, fields in list(FIELDS.items()):
        full = getattr(cst, light.__name__, None)
        if full is not None:
            full.register(light)
            if light.__name__ not in _LITERALS:
                FIELDS[full] = fields


if tree.CSTNode not in cst.CSTNode.__mro__:
    _share()
