"""Loads a model exactly as transformers does, and watches from then on what goes into it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cleanguard.catalogue import hazards
from guard.base.checks import CheckList
from guard.base.vocabulary import encodes
from guard.errors import GuardError, ModelNotFoundError
from guard.files.hub import transformers
from guard.files.source import ModelSource
from guard.prompts.choice import choose, said_in
from guard.prompts.policy import policy_of
from guard.prompts.standing import refuse_chat_model
from guard.settings.inherited import effective
from guard.watching.beside import already_told, is_module
from guard.watching.hooks import Prompts, put_hooks
from guard.watching.told import WatchState, is_the_scripts, telling, warn

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

# What a script may load by the same line as a model: its class is in a variable.
_NO_MODELS = frozenset(
    ("PreTrainedTokenizerBase", "ProcessorMixin", "PreTrainedConfig", "PretrainedConfig")
)
# What says where the files are, to a tokenizer as to a model.
_PLACES = ("cache_dir", "token", "revision", "subfolder", "local_files_only")


def load_watched(args: tuple[Any, ...], model_class: Any, keywords: Mapping[str, Any]) -> Any:
    """What `from_pretrained` of a class returns for these arguments, watched; see `CleanModelLoader.load_watched`."""
    kind = transformers.AutoModelForCausalLM if model_class is None else model_class
    loaded = kind.from_pretrained(*args, **keywords)
    named = args[0] if args else keywords.get("pretrained_model_name_or_path")
    watch(loaded[0] if isinstance(loaded, tuple) and loaded else loaded, named, keywords)
    return loaded


def watch(model: Any, named: Any, keywords: Mapping[str, Any]) -> None:
    """Watch a model that was just loaded, or tell that it cannot be.

    Args:
        model: What was loaded.
        named: What it was loaded by: a folder or a hub id.
        keywords: Those of the load; some say where the files are.
    """
    try:
        _watch(model, named, keywords)
    # tokenizers raises panics, which are no exceptions of Python's kind.
    except BaseException as error:
        panics = type(error).__name__ == "PanicException"
        if not (isinstance(error, Exception) or panics) or is_the_scripts(error):
            raise
        if not already_told(model):
            _tell_unwatched(named, error)


def _watch(model: Any, named: Any, keywords: Mapping[str, Any]) -> None:
    if not is_module(model):
        if _NO_MODELS.isdisjoint(one.__name__ for one in type(model).__mro__):
            warn(None, f"{named}: what goes into it is not watched: it is no model of torch")
        return
    # TRL's value heads hold the model, which may be an adapter's wrapper.
    model = vars(model)["_modules"].get("pretrained_model", model)
    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    if getattr(getattr(base, "config", None), "is_encoder_decoder", False):
        return  # it has no rules for its prompts
    if not _has_parts(base):
        already_told(model)
        warn(
            None, f"{named}: what goes into it is not watched: {type(base).__name__} shows no parts"
        )
        return
    where = {name: keywords[name] for name in _PLACES if keywords.get(name) is not None}
    source = _source(named, where)
    tokenizer = _tokenizer(named, where)
    choose(tokenizer, said_in(source.read_json("tokenizer_config.json")))
    config = getattr(base, "generation_config", None)
    brought = {} if config is None else effective(config)
    state = WatchState(str(named), policy_of(tokenizer), brought)
    put_hooks(base, Prompts(state, tokenizer))
    with telling(state):
        refuse_chat_model(source, tokenizer, CheckList(), allowed=False)
    if base is model and getattr(model, "_hf_peft_config_loaded", False):
        state.tell(hazards.ADAPTER_AS_BASE.code, "loading it attached an adapter")


def _has_parts(base: Any) -> bool:
    """Whether a model says what its embedding and its decoder are; a class of one's own may raise."""
    try:
        return all(is_module(part) for part in (base.get_input_embeddings(), base.get_decoder()))
    except Exception:  # noqa: BLE001 - such a model is not watched
        return False


def _tokenizer(named: Any, where: Mapping[str, Any]) -> PreTrainedTokenizerBase:
    """The tokenizer beside the model, read without code of its repository."""
    found: PreTrainedTokenizerBase = transformers.AutoTokenizer.from_pretrained(
        named, trust_remote_code=False, **where
    )
    if not encodes(found):
        raise ModelNotFoundError("there is no file of one")
    return found


def _source(named: Any, where: Mapping[str, Any]) -> ModelSource:
    """Where the files lie that were just read."""
    name = os.fspath(named)
    folder = Path(name).expanduser()
    if folder.is_dir():
        found = folder / where.get("subfolder", "")
        return ModelSource(name, "local", str(found), found.resolve(), None)
    config = transformers.utils.cached_file(
        name, "config.json", **{**where, "local_files_only": True}
    )
    return ModelSource(name, "hub", name, Path(config).parent, None)


def _tell_unwatched(named: Any, error: BaseException) -> None:
    """A model without a tokenizer beside it has no rules that its ids could be held against."""
    said = (
        str(error.args[0]) if isinstance(error, GuardError) and error.args else type(error).__name__
    )
    warn(
        None,
        f"{named}: what goes into it is not watched: its tokenizer cannot be read there ({said})",
    )
