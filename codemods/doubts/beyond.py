"""Doubts about loads that stand in other lines, other files or in data: nobody can see there what a model is given."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import libcst as cst

from codemods.doubts.outside import runs_others
from codemods.doubts.shown import shown
from codemods.doubts.within import within
from codemods.facts.changed_elsewhere import loads_of
from codemods.facts.purposes import trains
from codemods.facts.unseen_ids import has_bos
from codemods.script.script import Script
from lint_rules._flow.values.events import Encode, Forward, ModelLoad

# Rows of a training that are conversations, by what scripts and data sets call their parts.
_CHATS = re.compile(
    r"\bmessages\b|chatml|sharegpt|[\"']role[\"']|[\"']conversations?[\"']|setup_chat_format",
    re.IGNORECASE,
)
# A record of single tokens, which somebody reads by their places.
_BY_PLACE = re.compile(r"[\"'](token|top)_log_?probs[\"']")
_SCORES = re.compile(r"\.logits\b|\.loss\b|lm_head\(|\bcross_entropy\(|CrossEntropyLoss")
_PADS = re.compile(r"\bpadding\s*=\s*(?!False|None|[\"'](do_not_pad|files))|\.pad\(")
# Labels of a training in which the pad token is masked; some tokenizers pad with EOS, which the loader does not.
_MASKS_PAD = re.compile(r"DataCollatorForLanguageModeling|[!=]=\s*\w*(\.\w+)*\.pad_token_id")
_READS_PAD = re.compile(r"\.pad_token_id\b(?!\s*=[^=])")
_SETS_PAD = re.compile(r"\bpad_token(_id)?[\"']?\s*[=:](?!=)")
_BOS = re.compile(r"<s>|<bos>|<\|begin_of_text\|>|<\|startoftext\|>|begin▁of▁sentence")
# What tokenizers of BERT's kind begin texts with, also beside a causal model.
_CLS = re.compile(r"\.cls_token(_id)?\b|[\"']\[CLS\][\"']")
# What gives an engine or a wrapper for a model.
_ENGINES = re.compile(
    r"\bdeepspeed\.(initialize|init_inference)\(|\b(FullyShardedDataParallel|FSDP|DistributedDataParallel|DDP|DataParallel)\("
)
_READS_SIDE = re.compile(
    r"\.(padding_side|all_special_ids|all_special_tokens|special_tokens_map)\b(?!\s*=[^=])"
)
# Through how many files a name is followed.
_MOST_FILES = 40
_PATCHED = re.compile(r"patch(\.\w+)*\([^\n]*(from_pretrained|generate)\b")


def beyond(script: Script, nodes: frozenset[cst.CSTNode]) -> Iterator[tuple[cst.CSTNode, str]]:
    """The doubts about some loads of a script.

    Args:
        script: The script.
        nodes: The loads: a model's, its tokenizer's.

    Yields:
        A load, or what is done with it, and the doubt.
    """
    loads = [load for load in loads_of(script) if load.node in nodes]
    if not loads:
        return
    text = script.bare
    if trains(script) and _CHATS.search(text):
        yield loads[0].node, "what it trains on may be chats, which the guard refuses"
    if trains(script) and script.once(_masks_pad):
        yield (
            loads[0].node,
            "it masks the pad token in its labels, and the loader may choose another",
        )
    if _PATCHED.search(text):
        yield (
            loads[0].node,
            "it puts something of its own for what the library loads or generates by",
        )
    line = None if trains(script) else script.once(_bos_in_class)
    if line is not None:
        yield loads[0].node, f"line {line} keeps BOS in a class, and where it goes is not followed"
    models = [load for load in loads if isinstance(load, ModelLoad)]
    if models and _CLS.search(text):
        yield models[0].node, "it puts `[CLS]` before rows by hand, which the guard takes for BOS"
    inside = script.once(within) if models else None
    if inside is not None:
        yield models[0].node, inside
    code = any(
        load.args.written("trust_remote_code") is True for load in loads if load not in models
    )
    for model in models if code else ():
        if "trust_remote_code" not in model.args.keywords and not model.args.opaque:
            yield model.node, "its tokenizer may run code of the repository, and the model may not"
    yield from _by_place(script, nodes)
    yield from shown(script, nodes)
    reason = script.once(_read_elsewhere)
    if reason is not None and any(not isinstance(load, ModelLoad) for load in loads):
        yield loads[0].node, reason
    reason = script.once(_imports_into_notebook)
    if reason is not None:
        yield loads[0].node, reason
    for doubt in (_handed_to, _padded_by_users, _wrapped_by_users) if not trains(script) else ():
        reason = script.once(doubt)
        if reason is not None and (models or doubt is _padded_by_users):
            yield loads[0].node, reason


def _masks_pad(script: Script) -> bool:
    """Whether a training leaves the pad token out of its labels, and takes the one that the files bring."""
    others = script.others
    texts = [
        script.bare,
        *(others.bare(path) for path in others.near(script.path)),
    ]
    masks = _MASKS_PAD.search(texts[0]) or any(map(_READS_PAD.search, texts[1:]))
    return bool(masks) and not any(map(_SETS_PAD.search, texts))


def _bos_in_class(script: Script) -> int | None:
    """The line of a class's own value that spells a BOS, as the default of a field does."""
    if script.tree is None or not _BOS.search(script.bare):
        return None
    for node in ast.walk(script.tree):
        for one in node.body if isinstance(node, ast.ClassDef) else ():
            value = one.value if isinstance(one, (ast.Assign, ast.AnnAssign)) else None
            for part in ast.walk(value) if value is not None else ():
                if isinstance(part, ast.Constant) and _BOS.search(str(part.value)):
                    return one.lineno
    return None


def _by_place(script: Script, nodes: frozenset[cst.CSTNode]) -> Iterator[tuple[cst.CSTNode, str]]:
    """Scored text without BOS, of whose tokens a record is kept."""
    if not _BY_PLACE.search(script.bare):
        return
    for forward in script.flow.events(Forward):
        encode = script.flow.event_at(forward.encoded.origin if forward.encoded else None, Encode)
        bare = encode is not None and encode.args.written("add_special_tokens") is False
        if bare and forward.model.origin in nodes and has_bos(forward):
            yield forward.node, "single tokens are written down, which BOS would move by one place"


def _read_elsewhere(script: Script) -> str | None:
    """A file that the script imports and that reads the side of a tokenizer, or all its special tokens."""
    paths = [*script.others.imported(script.path)]
    for path in paths:
        found = _READS_SIDE.search(script.others.bare(path))
        if found is not None:
            return f"{path.name} reads `{found[1]}` of a tokenizer, which the loader chooses"
        if script.watches and len(paths) < _MOST_FILES:  # what it takes from others in its turn
            paths += [one for one in script.others.imported(path) if one not in paths]
    return None


def _imports_into_notebook(script: Script) -> str | None:
    """A file of the run that a notebook imports or runs; models are followed between scripts alone."""
    if script.path.suffix != ".ipynb":
        return None
    if script.once(runs_others):
        return "a cell runs another file, which may use the notebook's names and make them anew"
    taken = script.others.imported(script.path)
    if not taken:
        return None
    return f"{taken[0].name} may score or generate with it, and a notebook is not followed into it"


def _wrapped_by_users(script: Script) -> str | None:
    """A file that takes what is loaded here and puts an engine around it, behind which nothing is followed."""
    if not script.others.serves(script.path):
        return None
    for path in script.others.importers(script.path):
        found = _ENGINES.search(script.others.bare(path))
        if found is not None:
            return (
                f"{path.name} puts a model into `{found[0].rstrip('(')}`, which is not seen through"
            )
    return None


def _padded_by_users(script: Script) -> str | None:
    """A file, of the run or beside it, that takes what is loaded here, and pads and scores rows."""
    stem = script.others.stem(script.path)
    takes = re.compile(rf"^\s*(from|import)\s[^\n]*\b{re.escape(stem)}\b", re.MULTILINE)
    for path in script.others.beside(script.path):
        text = script.others.bare(path)
        if stem in text and takes.search(text) and _PADS.search(text) and _SCORES.search(text):
            return f"{path.name} pads and scores rows, and the loader pads on the left"
    return None


def _handed_to(script: Script) -> str | None:
    """A file that takes models from this one, and hands them on to another that scores with them."""
    others = script.others
    if others.alone or not others.serves(script.path):
        return None
    own = script.path.absolute()
    for user in others.importers(script.path):
        for taken in others.imported(user):
            if taken not in (own, user) and _SCORES.search(others.bare(taken)):
                return f"{user.name} may hand its model to {taken.name}, which scores with models"
    return None
