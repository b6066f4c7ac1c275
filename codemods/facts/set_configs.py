"""Where a script changes a model's generation_config, which does not reach a guarded call."""

from __future__ import annotations

import libcst as cst

from codemods.facts.loader_keywords import literal_value
from codemods.script.looking import Looking
from codemods.script.script import Script
from lint_rules._flow.values.joins import Constant
from lint_rules._flow.values.syntax import dotted

_NAME = "generation_config"
# What the guard's own config may say otherwise than the model's files.
_SAYS = frozenset(
    "do_sample temperature top_p top_k min_p num_beams repetition_penalty length_penalty no_repeat_ngram_size".split()  # noqa: SIM905
    + "max_length max_new_tokens min_length min_new_tokens pad_token_id to_dict to_diff_dict to_json_string".split()  # noqa: SIM905
)


def set_configs(script: Script) -> list[cst.CSTNode]:
    """What may change a model's generation_config: anything but reading it, and setting pad or None."""
    return script.look(_SetConfigs).found if _NAME in script.source.text else []


def read_configs(script: Script) -> list[cst.CSTNode]:
    """Where a script reads what a model's generation_config says, of which the guard's says another thing."""
    return script.look(_SetConfigs).read if _NAME in script.source.text else []


class _SetConfigs(Looking):
    """Where a model's generation_config may be changed: any use but reading, and setting pad or None."""

    def __init__(self) -> None:
        self.found: list[cst.CSTNode] = []
        self.read: list[cst.CSTNode] = []
        self._passed: set[cst.CSTNode] = set()
        self._fine: set[cst.CSTNode] = set()

    def visit_Assign(self, node: cst.Assign) -> None:
        self._passed.update(target.target for target in node.targets)
        for target in node.targets:
            path = _path(target.target)
            none = literal_value(node.value) == Constant(None) and path[-1] != "generation_config"
            if "generation_config" in path[1:-1] and not none and path[-1] != "pad_token_id":
                self.found.append(node)

    def visit_Call(self, node: cst.Call) -> None:
        if dotted(node.func) == "print":
            shown = [one.value for one in node.args]
            self._passed.update(shown)
            self._passed.update(one.func for one in shown if isinstance(one, cst.Call))
        named = [a.value for a in node.args[1:2]]
        by_name = dotted(node.func) == "setattr" or (dotted(node.func) or "").endswith("attrgetter")
        named = [*(a.value for a in node.args[:1]), *named] if by_name else []
        texts = [one for one in named if isinstance(one, cst.SimpleString)]
        if any(one.evaluated_value == "generation_config" for one in texts):
            self.found.append(node)
        # `model.generation_config.to_dict()` and its kin only tell
        path = _path(node.func)
        if "generation_config" in path[1:-1] and not path[-1].startswith(("to_", "get")):
            self.found.append(node)

    def visit_Attribute(self, node: cst.Attribute) -> None:
        if isinstance(node.value, cst.Attribute) and node.attr.value != "__dict__":
            self._fine.add(node.value)
            told = node.value.attr.value == "generation_config" and node.attr.value in _SAYS
            if told and node not in self._passed:
                self.read.append(node)
        if node.attr.value == "generation_config" and node not in self._fine:
            self.found.append(node)  # given away, kept by another name, or set

    def visit_Arg(self, node: cst.Arg) -> None:
        if node.keyword is not None and node.keyword.value in ("pad_token_id", "eos_token_id"):
            self._passed.add(node.value)

    def visit_AugAssign(self, node: cst.AugAssign) -> None:
        if "generation_config" in _path(node.target)[1:]:
            self.found.append(node)


def _path(node: cst.BaseExpression) -> list[str]:
    """The attributes of an expression, behind what they are taken of: `unwrap(model).generation_config.top_k`."""
    found: list[str] = []
    while isinstance(node, cst.Attribute):
        found.append(node.attr.value)
        node = node.value
    return [node.value if isinstance(node, cst.Name) else "", *reversed(found)]
