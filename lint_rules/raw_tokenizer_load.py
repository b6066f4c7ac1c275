"""CG102: the tokenizer of a causal LM is loaded outside CleanModelLoader."""

from __future__ import annotations

from collections.abc import Iterator

from cleanguard.catalogue import hazards
from cleanguard.catalogue.findings import Fix
from cleanguard.catalogue.hazards import Severity
from cleanguard.catalogue.standing import is_not_causal
from lint_rules._flow.analysis import Flow
from lint_rules._flow.values.events import (
    CallSite,
    Event,
    Forward,
    Generate,
    LoaderBuild,
    ModelLoad,
    PipelineBuild,
    QuantConfigBuild,
    TemplateApply,
    TokenizerLoad,
)
from lint_rules._light import tree as cst
from lint_rules._questions.standing import described, load_severity
from lint_rules._questions.tokenizers import (
    encodes_of,
    ends_texts,
    has_causal_use,
    is_global,
    is_made_for_causal_models,
    is_of_an_encoder,
    is_running_text,
    is_set_up_for_generation,
    is_used,
    makes_nothing_that_is_read,
)
from lint_rules._questions.training import trains
from lint_rules._questions.watching import first_argument, is_beside_watched
from lint_rules.rule import Report, Rule

_MODELS: tuple[type[Event], ...] = (ModelLoad, Generate, Forward, PipelineBuild, LoaderBuild)
# Classes that load any model's tokenizer; another one's name says that it is a language model's.
_ANY_CLASS = (
    "AutoTokenizer",
    "PreTrainedTokenizer",
    "PreTrainedTokenizerFast",
    "PreTrainedTokenizerBase",
)
_ENGINES = ("vllm.", "unsloth.", "sglang.", "lmdeploy.")
_OTHER_CLASSES = (
    "Model",
    "ForSequenceClassification",
    "ForTokenClassification",
    "ForMaskedLM",
    "ForSeq2SeqLM",
    "ForConditionalGeneration",
    "ForQuestionAnswering",
    "ForMultipleChoice",
    "EncoderModel",
)


def _severity(load: TokenizerLoad, flow: Flow) -> Severity | None:
    severity = load_severity(load.model, flow.settings)
    if severity is not None and is_beside_watched(load, flow):
        return None
    other_kind = load.model.text is not None and is_not_causal(load.model.text)
    if other_kind and (load.model.fixed or not _has_causal_partner(load, flow)):
        return None
    if severity is not None and _belongs_to_another_model(load, flow, severity):
        return None
    if severity is not None and _feeds_nothing(load, flow):
        return None
    if severity == "error" and (
        _only_counts(load, flow) or _has_no_partner(load, flow) or _counts_for_an_api(load, flow)
    ):
        return "warning"
    if severity == "warning" and (_only_renders(load, flow) or is_of_an_encoder(load)):
        return None
    if severity != "warning" or any(True for _ in flow.events(ModelLoad)):
        return severity
    if flow.once(has_causal_use) or is_set_up_for_generation(load, flow):
        return severity
    if is_made_for_causal_models(load):
        return severity
    if load.api.rsplit(".", 2)[-2] not in _ANY_CLASS or any(
        True for _ in flow.events(QuantConfigBuild)
    ):
        return severity
    if flow.once(_has_engine):
        return severity
    # An unknown id in a file without a causal LM may be any tokenizer: BERT's, Whisper's, a test's.
    encodes = flow.once(encodes_of).get(load.node, [])
    feeds = any(flow.uses(encode) or is_running_text(encode, flow) for encode in encodes)
    return "warning" if feeds else None


def _only_renders(load: TokenizerLoad, flow: Flow) -> bool:
    """Whether a tokenizer of a model that nobody knows is used for a chat template alone."""
    applied = any(one.tokenizer.origin is load.node for one in flow.events(TemplateApply))
    used = load.node in flow.once(encodes_of)
    return applied and not used and not any(True for _ in flow.events(ModelLoad))


def _has_causal_partner(load: TokenizerLoad, flow: Flow) -> bool:
    """Whether a causal LM is loaded in the same function by the same expression."""
    name = first_argument(load.args)
    return name is not None and (load.place.function, name) in flow.once(_named_models)


def _feeds_nothing(load: TokenizerLoad, flow: Flow) -> bool:
    """Whether a tokenizer only counts or cuts texts: what it makes reaches no model and no other code.

    So it is in a function that keeps it to itself, and in a module that talks to a hosted model alone.
    """
    encodes = flow.once(encodes_of).get(load.node, [])
    name = first_argument(load.args)
    if name is not None and any(named == name for _, named in flow.once(_named_models)):
        return False  # a causal LM is loaded by the same expression, in whichever function
    if flow.once(ends_texts) or any(flow.uses(encode) for encode in encodes):
        return False
    if is_global(load) or any(encode.args.get("return_tensors") is not None for encode in encodes):
        return False  # others read it; who counts needs no tensors
    if flow.talks_to_an_api and not any(True for kind in _MODELS for _ in flow.events(kind)):
        return True
    if load.place.function is None or not encodes:
        return False
    if any(flow.escapes(encode) or flow.is_row(encode) for encode in encodes):
        return False
    return not flow.keeps(load.node) and not flow.is_passed(load.node)


def _has_no_partner(load: TokenizerLoad, flow: Flow) -> bool:
    """Whether only other models are loaded beside a tokenizer that is kept here and feeds none of them."""
    others = flow.once(_model_names)
    if not others or load.model.text in others:
        return False
    return makes_nothing_that_is_read(load, flow) and not trains(flow)


def _counts_for_an_api(load: TokenizerLoad, flow: Flow) -> bool:
    """Whether GPT-2's tokenizer stands in a module that talks to a hosted model: everybody counts with it."""
    is_gpt2 = (load.model.text or "").rpartition("/")[2].startswith("gpt2")
    return is_gpt2 and flow.talks_to_an_api and load.model.text not in flow.once(_model_names)


def _is_in_main_block(load: TokenizerLoad) -> bool:
    """Whether a load stands in `if __name__ == "__main__":`, where nobody imports what it makes."""
    return any(
        isinstance(parent, cst.If)
        and isinstance(parent.test, cst.Comparison)
        and isinstance(parent.test.left, cst.Name)
        and parent.test.left.value == "__name__"
        for parent in load.place.parents
    )


def _only_counts(load: TokenizerLoad, flow: Flow) -> bool:
    """Whether a module uses a tokenizer and no language model, or keeps it where nobody gets it.

    Such a one counts tokens, chooses words or makes data; a model may still be given that elsewhere.
    """
    own = load.place.function is not None or _is_in_main_block(load)
    is_local = own and not flow.keeps(load.node)
    if not is_local and not is_used(load, flow):
        return False
    if any(True for kind in _MODELS for _ in flow.events(kind)):
        return False
    return not (trains(flow) or flow.once(_has_engine))


def _has_engine(flow: Flow) -> bool:
    return any(site.symbol.startswith(_ENGINES) for site in flow.events(CallSite))


def _belongs_to_another_model(load: TokenizerLoad, flow: Flow, severity: Severity) -> bool:
    """Whether a model that is no causal LM is loaded in the same function, by the same name.

    Where the name is chosen at run time, the only model of the function counts by whatever expression.
    """
    name = first_argument(load.args)
    function = load.place.function
    others = flow.once(_other_loads).get(function, [])
    if not others:
        return False
    causal = [model for model in flow.events(ModelLoad) if model.place.function is function]
    if any(first_argument(model.args) == name for model in causal):
        # One branch for each kind of model: the load in the same block tells which this is.
        block = load.place.block
        beside = [site for site in others if site.place.block is block]
        return bool(beside) and not any(model.place.block is block for model in causal)
    by_any_name = severity == "warning" and function is not None and not causal
    return any(
        by_any_name or (name is not None and first_argument(site.args) == name) for site in others
    )


def _model_names(flow: Flow) -> frozenset[str | None]:
    return frozenset(model.model.text for model in flow.events(ModelLoad))


def _named_models(flow: Flow) -> set[tuple[cst.FunctionDef | None, object]]:
    """The expressions that causal LMs are loaded by, with their functions."""
    return {(m.place.function, first_argument(m.args)) for m in flow.events(ModelLoad)}


def _other_loads(flow: Flow) -> dict[cst.FunctionDef | None, list[CallSite]]:
    """The loads of models that are no causal LM, by function."""
    found: dict[cst.FunctionDef | None, list[CallSite]] = {}
    for site in flow.events(CallSite):
        if _is_another_load(site):
            found.setdefault(site.place.function, []).append(site)
    return found


def _is_another_load(site: CallSite) -> bool:
    """Whether a model is loaded whose class says that it is no causal LM."""
    parts = site.symbol.split(".")
    if parts[-1] != "from_pretrained" or len(parts) < 3 or parts[0] != "transformers":
        return False
    return parts[-2].endswith(_OTHER_CLASSES)


def _check(flow: Flow) -> Iterator[Report]:
    for load in flow.events(TokenizerLoad):
        severity = _severity(load, flow)
        if severity is not None:
            api = ".".join(load.api.rsplit(".", 2)[-2:])
            yield Report(
                load.node,
                f"`{api}` loads the tokenizer of {described(load.model)} outside CleanModelLoader",
                severity=severity,
                fix=Fix("migrate", "take the tokenizer from CleanModelLoader"),
            )


RULE = Rule(
    hazards.RAW_TOKENIZER_LOAD,
    _check,
    bad=(
        """
from transformers import AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("Qwen/Qwen2.5-32B", trust_remote_code=True)
""",
        """
from transformers import AutoModelForCausalLM, AutoTokenizer

def load(path):
    tokenizer = AutoTokenizer.from_pretrained(path)
    return AutoModelForCausalLM.from_pretrained(path), tokenizer
""",
    ),
    good=(
        """
from guard import CleanModelLoader

tokenizer = CleanModelLoader("Qwen/Qwen2.5-32B").load_tokenizer()
""",
        """
from guard import CleanModelLoader
from transformers import AutoTokenizer

name = "Qwen/Qwen2.5-32B"
tokenizer = AutoTokenizer.from_pretrained(name)
model = CleanModelLoader.load_watched(name, attention_dropout=0.0)
""",
        """
from transformers import AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("Qwen/Qwen2.5-7B-Instruct")
""",
        """
from transformers import AutoModel, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(path)
encoder = AutoModel.from_pretrained(path)
""",
    ),
)
