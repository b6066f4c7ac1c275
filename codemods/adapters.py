"""`PeftModel.from_pretrained(model, path)` becomes `CleanModelLoader.attach_adapter(model, path)`.

No hazard marks the call itself; it is rewritten with the load below it, so that the adapter's digest
and lineage are recorded and the guard stays on.
"""

from __future__ import annotations

import libcst as cst

from codemods._edits import Edit
from codemods._loader_keywords import written
from codemods._script import Script
from codemods._sites import CannotRewrite, Note, Site
from lint_rules._flow.events import AdapterAttach
from lint_rules._standing import load_severity

# Keywords that peft hands to the hub, which takes no notice of them.
_IGNORED = ("torch_dtype", "dtype")
_BASE_STAYS = Note(
    "changed",
    "the adapter sits on a copy of the modules: what is called the base stays the base, where peft had put "
    "the adapter into it as well",
    "where the base was not used after the adapter was attached",
)
_SUMMARY = "attach the adapter through CleanModelLoader"


def rewrite(script: Script, unmigrated: frozenset[cst.CSTNode]) -> list[Site]:
    """The sites of adapters put on models that the migration loads."""
    sites: list[Site] = []
    for attach in script.flow.events(AdapterAttach):
        if load_severity(attach.model.model, script.flow.settings) is None:
            continue
        try:
            edit = _edit(script, attach, unmigrated)
            notes = () if _replaces_base(script, attach) else (_BASE_STAYS,)
            sites.append(Site("CG101", attach.node, _SUMMARY, (edit,), notes))
        except CannotRewrite as reason:
            sites.append(Site("CG101", attach.node, _SUMMARY, reason=str(reason)))
    return sites


def _replaces_base(script: Script, attach: AdapterAttach) -> bool:
    """`model = PeftModel.from_pretrained(model, …)`: nothing goes on using the base by its name."""
    model = attach.args.get("model", 0)
    line = attach.place.line
    only = line.body[0] if line is not None and len(line.body) == 1 else None
    if model is None or model.expression is None or not isinstance(only, cst.Assign):
        return False
    base = script.code(model.expression)
    return any(script.code(target.target) == base for target in only.targets)


def _edit(script: Script, attach: AdapterAttach, unmigrated: frozenset[cst.CSTNode]) -> Edit:
    if attach.model.origin is None or attach.model.origin in unmigrated:
        raise CannotRewrite("the model under the adapter stays as it is")
    model, path = attach.args.get("model", 0), attach.args.get("model_id", 1)
    if model is None or path is None or attach.args.spread or len(attach.args.positional) > 2:
        raise CannotRewrite("the call takes arguments that this tool does not take apart")
    arguments = [written(script, model), written(script, path)]
    for name, argument in attach.args.keywords.items():
        if name in ("model", "model_id"):
            continue
        if name in _IGNORED:
            continue
        if name not in ("is_trainable", "adapter_name"):
            raise CannotRewrite(f"the keyword `{name}` has no place in attach_adapter")
        keyword = "name" if name == "adapter_name" else name
        arguments.append(f"{keyword}={written(script, argument)}")
    span = script.span(attach.node)
    line = attach.place.line
    indent = script.indent_of(line) if line is not None else ""
    room = 0 if line is None else len(script.code(line)) - len(script.code(attach.node))
    call = script.call("CleanModelLoader.attach_adapter", arguments, indent, max(room, 0))
    return Edit(span.start, span.end, call)
