"""Attributes, items and slices of values."""

from __future__ import annotations

from dataclasses import replace

from lint_rules._flow.state.library_names import is_causal_class, kind_of_call
from lint_rules._flow.state.program import Program
from lint_rules._flow.values.joins import (
    UNKNOWN,
    CausalLM,
    ChatText,
    ClassRef,
    Constant,
    Count,
    Dataset,
    Decoded,
    Encoded,
    EncodedShape,
    Formatted,
    FunctionRef,
    Generated,
    Instance,
    Items,
    LibraryObject,
    Mapping,
    Method,
    ModuleRef,
    OptionParser,
    PromptLength,
    Sequence,
    Symbol,
    Tokenizer,
    Unknown,
    Value,
    count_of,
    element_of,
    index_generated,
    join,
)
from lint_rules._flow.values.syntax import has_decorator
from lint_rules._light import tree as cst

_PARTS = ("input_ids", "attention_mask")
_INNER_MODELS = ("model", "base_model", "module", "_orig_mod")


class Members:
    """What stands inside a value."""

    def __init__(self, program: Program) -> None:
        self.program = program

    def attribute(self, base: Value, name: str) -> Value:
        """An attribute of one value."""
        if isinstance(base, Unknown):
            return UNKNOWN
        if isinstance(base, Symbol):
            return self.program.imported(f"{base.name}.{name}")
        if isinstance(base, ModuleRef):
            linker = self.program.linker
            found = None if linker is None else linker.member(base.path, name)
            if found is None and is_causal_class(name):
                return Symbol(f"own.{name}")  # of a module in which nothing else matters
            return found or UNKNOWN
        if isinstance(base, (Instance, ClassRef)):
            return self._member(base, name)
        if isinstance(base, OptionParser) and base.parsed:
            self.program.ledger.read(base.origin)
            return self.program.parser_defaults.get(base.origin, {}).get(name, UNKNOWN)
        if isinstance(base, Encoded):
            if base.part is None and name in _PARTS:
                return replace(base, part=name)
            if base.part is not None and name == "shape":
                return EncodedShape(base.origin)
        if isinstance(base, Generated) and base.form == "all" and name == "sequences":
            return Generated(base.origin, "sequences")
        if isinstance(base, CausalLM) and name in _INNER_MODELS:
            return base
        if name in ("name_or_path", "_name_or_path"):
            inner = base.receiver if isinstance(base, Method) and base.name == "config" else base
            if isinstance(inner, (CausalLM, Tokenizer)):
                text = inner.model.text
                return Method(inner, name) if text is None else Constant(text, inner.model.fixed)
        nested = isinstance(base, Method) and isinstance(base.receiver, Method)
        return UNKNOWN if nested else Method(base, name)

    def _member(self, base: Instance | ClassRef, name: str) -> Value:
        facts = self.program.classes.get(base.node)
        if facts is None:
            return UNKNOWN
        method = facts.methods.get(name)
        if method is not None:
            known = self.program.functions.get(method)
            if known is not None and has_decorator(method, "property", "cached_property"):
                self.program.demand(method)
                self.program.ledger.read(method)
                return known.result
            bound = isinstance(base, Instance) and not has_decorator(method, "staticmethod")
            return FunctionRef(method, base if bound else None)
        if name == "from_pretrained":
            root = self.library_base(base.node)
            if root is not None:
                inherited = f"{root}.{name}"
                is_load = kind_of_call(inherited) is not None
                return Symbol(inherited if is_load else f"own.{base.node.name.value}.{name}")
        self.program.ledger.read((base.node, name))
        return facts.attributes.get(name, UNKNOWN)

    def library_base(self, node: cst.ClassDef, depth: int = 0) -> str | None:
        """The library's class that a class of one's own inherits from, through others of one's own."""
        facts = self.program.classes.get(node)
        if facts is None or depth > 4:
            return None
        if facts.bases:
            return facts.bases[0]
        found = (self.library_base(parent, depth + 1) for parent in facts.parents)
        return next((one for one in found if one is not None), None)

    def subscript(self, base: Value, node: cst.Subscript, keys: list[Value]) -> Value:
        """`base[keys]`; the key of a slice is its upper bound."""
        if isinstance(base, Generated):
            return _slice_generated(base, node)
        last = node.slice[-1].slice
        if isinstance(base, Encoded) and base.part is not None and isinstance(last, cst.Slice):
            return replace(base, cut=True) if _cuts_the_front(last) else base
        only = node.slice[0].slice if len(node.slice) == 1 else None
        if isinstance(only, cst.Slice):
            return _sliced(base, only, keys[0])
        return self.item(base, keys[0]) if isinstance(only, cst.Index) else UNKNOWN

    def item(self, base: Value, key: Value) -> Value:
        """One member of a value, by its key."""
        literal = key.value if isinstance(key, Constant) else None
        if isinstance(base, Mapping):
            return _entry(base, key)
        if isinstance(base, Sequence):
            if isinstance(literal, int) and -len(base.items) <= literal < len(base.items):
                return base.items[literal]
            return element_of(base)
        if isinstance(base, Items):
            return base.element
        if isinstance(base, Dataset):
            if isinstance(literal, str):
                column = base.columns.get(literal)
                # Not a column: a split of a dataset that was loaded with all its splits.
                return base if column is None else Items(column, base.count)
            return base.columns
        if isinstance(base, Encoded):
            if base.part is None and literal in _PARTS:
                return replace(base, part=str(literal))
            return base if base.part is not None else UNKNOWN
        if isinstance(base, LibraryObject) and base.symbol == "torch.load":
            return base  # a checkpoint's part
        if isinstance(base, Method) and base.name == "special_tokens_map":
            return Method(base.receiver, str(literal))
        return PromptLength(base.origin) if isinstance(base, EncodedShape) else UNKNOWN


def _entry(mapping: Mapping, key: Value) -> Value:
    if isinstance(key, Constant):
        found = mapping.get(key.value)
        if found is None:
            return mapping.rest
        if isinstance(found, Constant) and not key.fixed:
            return Constant(found.value, fixed=False, optional=found.optional)
        return found
    result = mapping.rest
    for _, value in mapping.entries:
        result = join(result, value)
    return result


def _cuts_the_front(node: cst.Slice) -> bool:
    """`ids[1:]`, which takes the first id off; a bound that is counted from the end does not say so."""
    lower = node.lower
    return isinstance(lower, cst.Integer) and lower.evaluated_value >= 1


def _sliced(base: Value, node: cst.Slice, upper: Value) -> Value:
    literal = upper.value if isinstance(upper, Constant) else None
    count = literal if type(literal) is int and literal > 1 and node.lower is None else None
    if isinstance(base, ChatText):
        return ChatText(base.origin, cut=base.cut or node.lower is not None)
    if isinstance(base, (Decoded, Formatted)):
        return base
    if isinstance(base, Sequence) and count is not None:
        return Sequence(base.items[:count], base.kind)
    if isinstance(base, (Items, Sequence)):
        known = count_of(base)
        sizes = [size for size in (count, known) if size is not None]
        return Items(element_of(base), min(sizes, default=None))
    if isinstance(base, Dataset):
        return Dataset(base.columns, count)
    return Items(UNKNOWN, count) if isinstance(base, Unknown) and count is not None else UNKNOWN


def _slice_generated(base: Generated, node: cst.Subscript) -> Value:
    parts = [element.slice for element in node.slice]
    cut = isinstance(parts[-1], cst.Slice) and parts[-1].lower is not None
    if len(parts) == 1:
        if isinstance(parts[0], cst.Index):
            return index_generated(base)
        if base.form == "row" and cut:
            return Generated(base.origin, "completion")
        return base
    if len(parts) == 2 and base.form in ("all", "sequences"):
        if isinstance(parts[0], cst.Index):
            return Generated(base.origin, "completion" if cut else "row")
        return Generated(base.origin, "completions" if cut else base.form)
    return UNKNOWN


def length_of(value: Value) -> Value:
    """`len(value)`: the length of a prompt, or a size that a literal gives."""
    if isinstance(value, Encoded) and value.part is not None:
        return PromptLength(value.origin)
    count = count_of(value)
    return UNKNOWN if count is None else Count(count)
