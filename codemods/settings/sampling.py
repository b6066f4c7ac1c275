"""Says aloud what the sampling of an old call came to, below the `**` dicts that may say it themselves."""

from __future__ import annotations

from dataclasses import dataclass, field

import libcst as cst

from codemods.plan.sites import CannotRewrite, Note
from codemods.script.dict_keys import Keys
from codemods.script.script import Script
from lint_rules._flow.values.joins import Constant

# The default of transformers' GenerationConfig, in force wherever sampling code did not name it.
_TOP_K = "top_k=50"
_TWENTY = Note(
    "changed",
    "`max_new_tokens=20`: the call named no length, and transformers 5 then stops there, silently",
    "where generation_config.json names no length, under transformers 5",
    amends="length",
)
DRAWN = Note(
    "changed",
    "sampled texts are drawn anew, each from a seed of its own that is recorded; a seed that the script sets governs "
    "them no longer (`seed=` does), and they take nothing from torch's own numbers",
    beyond="seeded",
)
GREEDY = Note(
    "changed",
    "greedy is now said; whether texts are sampled was left to generation_config.json",
    "where that file asked for no sampling",
)


@dataclass(slots=True)
class Given:
    """The arguments of the guarded call that say its settings.

    Attributes:
        keys: What the dicts and the keywords hold, all together.
        dicts: The expressions of the `**` arguments.
        keywords: `keyword=value` texts.
        below: What holds where the dicts do not say it: `"top_k": 50`.
    """

    keys: Keys
    dicts: list[cst.BaseExpression] = field(default_factory=list)
    keywords: list[str] = field(default_factory=list)
    below: list[str] = field(default_factory=list)

    def say(self, name: str, value: str) -> None:
        """A setting that the call did not name, unless a dict does when it runs."""
        if self.keys.is_absent(name):
            self.keywords.append(f"{name}={value}")
        elif not self.keys.is_certain(name):
            self.below.append(f'"{name}": {value}')

    def written(self, script: Script) -> list[str]:
        """The arguments as text."""
        dicts = [script.code(node) for node in self.dicts]
        if not self.below:
            return [*(f"**{code}" for code in dicts), *self.keywords]
        below = ", ".join(self.below)
        only = self.dicts[0]
        if len(dicts) == 1 and isinstance(only, cst.Dict) and only.elements and not only.lpar:
            return [f"**{{{below}, {dicts[0][1:].lstrip()}", *self.keywords]
        below = ", ".join(
            [below, *(f"**{_in_display(n, c)}" for n, c in zip(self.dicts, dicts, strict=True))]
        )
        return [f"**{{{below}}}", *self.keywords]


def _in_display(node: cst.BaseExpression, code: str) -> str:
    """An expression behind `**` in a dict, where `a or b` needs the parentheses that a call's may lack."""
    plain = isinstance(
        node, (cst.Name, cst.Attribute, cst.Call, cst.Subscript, cst.Dict, cst.DictComp)
    )
    return code if plain else f"({code})"


def say_length(script: Script, given: Given) -> list[Note]:
    """Says how long a text may get where nothing else certainly does, if a person wants that.

    Raises:
        CannotRewrite: Nobody asked for it.
    """
    keys = given.keys
    if keys.is_certain("max_new_tokens") or keys.is_certain("max_length"):
        return []
    named = not (keys.is_absent("max_new_tokens") and keys.is_absent("max_length"))
    if named and not (script.unsafe and keys.is_absent("max_length")):
        raise CannotRewrite(
            "it cannot be told that its `**` arguments always name a length; name it in the call"
        )
    if not script.unsafe:
        raise CannotRewrite(
            "the call names no length: it is what the model's generation_config.json says, else "
            "20 new tokens; name it, or take 20 with --unsafe"
        )
    given.say("max_new_tokens", "20")
    return [_TWENTY]


def say_sampling(given: Given) -> list[Note]:
    """Says greedy, and transformers' own `top_k`, where the call only meant them."""
    keys = given.keys
    if keys.is_absent("do_sample"):
        if keys.is_absent("temperature"):
            return [GREEDY]
        given.keywords.append("do_sample=False")
        text = (
            "`temperature` without `do_sample` samples only where generation_config.json says so: "
            "now said, `do_sample=False`"
        )
        return [Note("carried", text)]
    never = all(value == Constant(False) for value in keys.values.get("do_sample", ()))
    if never and keys.closed:
        given.say("do_sample", "False")
        return []
    notes = [DRAWN]
    if not keys.is_certain("do_sample"):
        given.say("do_sample", "False")
        notes.append(Note("carried", "`do_sample=False` is now said where the dict does not"))
    if not keys.is_certain("top_k"):
        _say_top_k(given)
        notes.append(Note("carried", f"`{_TOP_K}`: transformers' silent default is now said"))
    return notes


def _say_top_k(given: Given) -> None:
    """Beside a `do_sample` that stands below the dicts, so does this."""
    if given.below and given.keys.is_absent("top_k"):
        given.below.append('"top_k": 50')
    else:
        given.say("top_k", "50")
