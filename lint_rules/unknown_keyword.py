"""CG110: a keyword argument that the called function does not have.

The keywords come from the sources of known versions; `target-versions` in the configuration says
which version counts, else the installed one, else the newest known. Calls that pass keywords on are
only checked for slips of the pen and for what was removed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from difflib import get_close_matches

from cleanguard.catalogue import hazards
from cleanguard.catalogue.findings import Fix
from cleanguard.catalogue.hazards import Severity
from lint_rules._flow.analysis import Flow
from lint_rules._flow.state.library_names import OWN_CAUSAL
from lint_rules._flow.values.arguments import Argument, Arguments
from lint_rules._flow.values.events import CallSite, Encode, ModelLoad, TemplateApply, TokenizerLoad
from lint_rules._flow.values.joins import Mapping, Mixed, first
from lint_rules._light import tree as cst
from lint_rules._questions.signatures import Known, known, renamed
from lint_rules.edits import replace
from lint_rules.rule import Report, Rule

# transformers 5 hands them on to the model's `__init__`, which raises a TypeError.
_REMOVED_FROM_LOADS = (
    "load_in_8bit", "load_in_4bit", "use_auth_token", "resume_download", "use_flash_attention_2", "torchscript",
)  # fmt: skip
# The same, but a model's own code may take them (Qwen's first does).
_NEVER_TAKEN = (
    "bf16", "fp16", "fp32", "use_flash_attn", "flash_attention", "attn_impl", "use_fast", "padding_side",
    "model_max_length", "max_seq_length", "use_triton", "use_bettertransformer",
)  # fmt: skip


def _check(flow: Flow) -> Iterator[Report]:
    for node, library, name, args in _calls(flow):
        entry = known(library, name, flow.settings.target_versions)
        if entry is None:
            continue
        invented: list[str] = []
        sometimes = True
        for keyword, argument in args.keywords.items():
            if keyword in entry.keywords or keyword.startswith("_"):
                continue
            always = True if argument.node is not None else _is_written(keyword, args)
            if always is None or not (always or keyword in _REMOVED_FROM_LOADS):
                continue
            better = _better(name, keyword, entry)
            if better is not None:
                problem = _problem(library, name, (keyword,), entry)
                slip = _slip(node, problem, better, argument, args)
                yield dataclasses.replace(slip, severity=_severity(keyword, entry))
            elif not entry.is_open or _is_removed(name, keyword, entry, args):
                invented.append(keyword)
                sometimes = sometimes and not always
        if invented:
            names = tuple(invented)
            remedy = f"leave {_listed(names)} out"
            is_error = not sometimes and any(_severity(one, entry) == "error" for one in names)
            severity: Severity = "error" if is_error else "warning"
            yield Report(
                node, _problem(library, name, names, entry), severity=severity, remedy=remedy
            )


def _calls(flow: Flow) -> Iterator[tuple[cst.Call, str, str, Arguments]]:
    for site in flow.events(CallSite):
        library, _, rest = site.symbol.partition(".")
        if rest:
            yield site.node, library, rest.rsplit(".", 1)[-1], site.args
        if library == "transformers" and _is_another_load(rest):
            yield site.node, library, "model.from_pretrained", site.args
    for load in flow.events(ModelLoad):
        if load.api.startswith(("transformers.", OWN_CAUSAL)):
            yield load.node, "transformers", "model.from_pretrained", load.args
    for tokenizer in flow.events(TokenizerLoad):
        if tokenizer.api.startswith("transformers."):
            yield tokenizer.node, "transformers", "tokenizer.from_pretrained", tokenizer.args
    for encode in flow.events(Encode):
        if encode.method == "__call__" and encode.tokenizer.confidence == "followed":
            yield encode.node, "transformers", "tokenizer.__call__", encode.args
    for apply in flow.events(TemplateApply):
        if apply.tokenizer.confidence == "followed":
            yield apply.node, "transformers", "tokenizer.apply_chat_template", apply.args


def _is_another_load(symbol: str) -> bool:
    """Whether an auto class loads a model that is no causal LM by its name, as ChatGLM is loaded."""
    owner, _, name = symbol.rpartition(".")
    return name == "from_pretrained" and (
        owner == "AutoModel"
        or owner in ("AutoModelForSeq2SeqLM", "AutoModelForSequenceClassification")
    )


def _is_written(keyword: str, args: Arguments) -> bool | None:
    """Whether a `**` dict holds a keyword on every way, or on some; None for an attribute's dict.

    That may be another one where it is passed.
    """
    for spread in args.spread:
        mapping = first(spread.value, Mapping)
        value = None if mapping is None else mapping.get(keyword)
        if value is not None and isinstance(spread.expression, (cst.Name, cst.Dict, cst.Call)):
            return not isinstance(value, Mixed)
    return None


def _better(name: str, keyword: str, entry: Known) -> str | None:
    """The keyword that was meant: the new name of an old one, or the one that is a slip away."""
    new = renamed(name, keyword)
    if new in entry.keywords:
        return new
    if keyword in entry.elsewhere:
        return None  # it exists in another version: no slip
    cutoff = 0.9 if entry.is_open else 0.85
    near = get_close_matches(keyword, sorted(entry.keywords), n=1, cutoff=cutoff)
    return near[0] if near else None


def _is_removed(name: str, keyword: str, entry: Known, args: Arguments) -> bool:
    if name != "model.from_pretrained" or int(entry.version.split(".")[0]) < 5:
        return False
    own_code = args.get("trust_remote_code") is not None or args.opaque
    return keyword in _REMOVED_FROM_LOADS or (keyword in _NEVER_TAKEN and not own_code)


def _severity(keyword: str, entry: Known) -> Severity:
    """A warning where it depends on a version that nobody named."""
    return "error" if entry.chosen or keyword not in entry.elsewhere else "warning"


def _problem(library: str, name: str, keywords: tuple[str, ...], entry: Known) -> str:
    said = name.split(".")[-1] if "." in name else name
    said = "a tokenizer's call" if said == "__call__" else f"`{said}`"
    gone = "no longer has" if all(keyword in entry.elsewhere for keyword in keywords) else "has no"
    return f"{said} {gone} {_listed(keywords)} in {library} {entry.version}"


def _listed(keywords: tuple[str, ...]) -> str:
    shown = ", ".join(f"`{keyword}`" for keyword in keywords[:3])
    return f"{shown} and {len(keywords) - 3} more" if len(keywords) > 3 else shown


def _slip(node: cst.Call, problem: str, better: str, argument: Argument, args: Arguments) -> Report:
    """A keyword with another name, which can be written in its place."""
    name = None if argument.node is None else argument.node.keyword
    edits = () if name is None or better in args.keywords else replace(name, better)
    fix = Fix("safe", f"write `{better}=`") if edits else None
    return Report(node, problem, remedy=f"write `{better}=`", fix=fix, edits=edits)


RULE = Rule(
    hazards.UNKNOWN_KEYWORD,
    _check,
    bad=(
        """
from trl import SFTConfig

config = SFTConfig(output_dir="out", max_seq_length=2048)
""",
        """
import torch
from transformers import BitsAndBytesConfig

config = BitsAndBytesConfig(load_in_8bit=True, bnb_8bit_compute_dtype=torch.bfloat16)
""",
        """
from transformers import AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("Qwen/Qwen2.5-7B")
ids = tokenizer("The capital of France is", add_special_token=False)
""",
    ),
    good=(
        """
from trl import SFTConfig

config = SFTConfig(output_dir="out", max_length=2048)
""",
        """
import torch
from transformers import BitsAndBytesConfig

config = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_compute_dtype=torch.bfloat16)
""",
        """
from transformers import AutoModelForCausalLM

model = AutoModelForCausalLM.from_pretrained(path, use_cache=False, rope_scaling=scaling)
""",
    ),
)
