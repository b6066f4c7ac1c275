"""What a migration may change: what its plan announces, done to the old program so that the rest can be compared.

Each announced change is carried out on the run of the program *as it is*, at the place that the plan names; then both
runs must be the same, with nothing let pass:

| the note says | done to the old program's run |
|---|---|
| `special tokens: BOS …`, `exactly the BOS …` | the tokenizer call of that line adds special tokens |
| a batch is padded on the left | tokenizer calls that pad, in the function of that line, pad on the left |
| `padding_side="right"`: batches are padded on the left | tokenizer loads of that file pad on the left |
| truncation …: a prompt is no longer cut | tokenizer calls that truncate, in the function of that line, do not |
| `model_max_length`: a prompt is no longer cut | tokenizer loads of that file do not take it |
| generation_config.json is replaced … | the model loaded in that line gets a greedy one, with its end tokens |
| `if … pad_token …` no longer holds, a pad token is read | tokenizers of that file bring the pad token that the guard chooses, and lines that the plan drops do not set another |
| the encoded batch that stays is padded … | both: the pad token, and the tokenizer call of that line pads on the left |
| batches are padded on the right, as training needs it | tokenizers of that file pad on the right |
| the padding side is read | tokenizers of that file pad on the left |
| guarded generation is in evaluation mode | the `generate` of that line runs in evaluation mode |

`what reaches the model is checked when it comes`: `ContaminationError` (and those of context and scores) may end the new program where the old one gave
its model a text to read that the model itself had written, control token and all. What the program's own text holds is no
such case: it is there to be seen before.

`settings that only the run knows go to generate_ids as they come`: `LoaderCallError` may end the new program.

One that does not fit raises: where the plan says so (truncation), `TruncatedPromptError` may end the new program where
the old one went on. `sampled texts are drawn anew` needs nothing: drawing is taken out of both runs.
"""

from __future__ import annotations

import ast
import functools
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import transformers
from transformers import GenerationConfig
from transformers.generation.utils import GenerationMixin
from transformers.tokenization_utils_base import PreTrainedTokenizerBase

from codemods.migration import Migration
from guard.loading.padding import settle_padding
from guard.prompts.control_tokens import ends_a_turn

_Lines = set[tuple[str, int]]
# Greedy, said aloud: what it comes to is the same as where nothing is said.
_EXPLICIT: dict[str, Any] = {
    "do_sample": False,
    "num_beams": 1,
    "temperature": 1.0,
    "top_p": 1.0,
    "repetition_penalty": 1.0,
    "no_repeat_ngram_size": 0,
    "length_penalty": 1.0,
    "early_stopping": False,
    "use_cache": True,
}


@dataclass(slots=True)
class Amends:
    """Where the old program's run is changed: lines by file name, or whole files.

    Attributes:
        bos: Tokenizer calls that get BOS.
        left: Tokenizer calls that pad on the left.
        uncut: Tokenizer calls that do not truncate.
        greedy: Model loads whose generation config is replaced.
        evaluating: Calls of generate that run in evaluation mode.
        dropped: Assignments that the plan drops.
        loads_left, loads_right, loads_long, loads_pad: Files whose tokenizer loads pad left or right, are not cut to
            `model_max_length`, or bring a pad token.
        refusals: Classes of guard errors that may end the new program.
    """

    bos: _Lines = field(default_factory=set)
    left: _Lines = field(default_factory=set)
    uncut: _Lines = field(default_factory=set)
    greedy: _Lines = field(default_factory=set)
    evaluating: _Lines = field(default_factory=set)
    dropped: _Lines = field(default_factory=set)
    loads_left: set[str] = field(default_factory=set)
    loads_right: set[str] = field(default_factory=set)
    loads_long: set[str] = field(default_factory=set)
    loads_pad: set[str] = field(default_factory=set)
    refusals: set[str] = field(default_factory=set)


def amends_of(plans: Mapping[str, Migration]) -> Amends:
    """What the plans of a program's files announce."""
    found = Amends()
    for name, plan in plans.items():
        if not plan.changed:
            continue
        guarded = any(not site.watched for site in plan.automatic if site.code == "CG101")
        if b"load_in_8bit" in plan.before and guarded:
            # One matrix is made of all that a batch holds: what fills it up moves the outliers' columns.
            found.loads_pad.add(name)
        tree = ast.parse(plan.before)
        for site in plan.sites:
            for note in site.notes:
                _amend(found, name, tree, site.row, note.kind, note.text)
    if len(plans) > 1:  # a tokenizer of one file may be loaded in another
        for files in (found.loads_pad, found.loads_left, found.loads_right):
            files |= set(plans) if files else set()
    return found


def _amend(found: Amends, name: str, tree: ast.Module, row: int, kind: str, text: str) -> None:
    if kind == "dropped" and text.startswith(("`pad_token", "`padding_side`")):
        found.dropped.add((name, row))
    if kind != "changed":
        return
    if text.startswith("special tokens:"):
        found.bos |= _lines(name, _calls(tree, lambda call: call.lineno == row))
    elif text.startswith("a batch is padded on the left"):
        found.left |= _lines(name, _near(tree, row, "padding"))
    elif text.startswith('`padding_side="right"`'):
        found.loads_left.add(name)
    elif text.startswith("batches are padded on the right"):
        found.loads_right.add(name)
    elif text.startswith("truncation to"):
        calls = _near(tree, row, "truncation") or _near(tree, row, "max_length")
        found.uncut |= _lines(name, calls)
        found.refusals.add("TruncatedPromptError")
    elif text.startswith("`model_max_length`"):
        found.loads_long.add(name)
        found.refusals.add("TruncatedPromptError")
    elif text.startswith("what reaches the model is checked"):
        found.refusals |= {"ContaminationError", "TruncatedPromptError", "BrokenScoresError"}
    elif text.startswith("settings that only the run knows"):
        found.refusals.add("LoaderCallError")
    elif text.startswith("generation_config.json is replaced"):
        found.greedy |= _lines(name, _calls(tree, lambda call: call.lineno == row))
    elif text.startswith("`if ") and "no longer holds" in text:
        found.loads_pad.add(name)
    elif text.startswith("the encoded batch that stays is padded"):
        found.loads_pad.add(name)
        found.left |= _lines(name, _calls(tree, lambda call: call.lineno == row))
    elif "is read here: it is the guard's now" in text:
        found.loads_pad.add(name)
    elif "is read here: the loader pads on the left" in text:
        found.loads_left.add(name)
    elif "guarded generation is in evaluation mode" in text:
        found.evaluating |= _lines(name, _calls(tree, lambda call: call.lineno == row))


def _calls(tree: ast.AST, wanted: Callable[[ast.Call], bool]) -> list[ast.Call]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.Call) and wanted(node)]


def _near(tree: ast.Module, row: int, keyword: str) -> list[ast.Call]:
    """The calls with a keyword in the function that holds a line; in the whole file if it has none."""

    def says(call: ast.Call) -> bool:
        return any(given.arg == keyword for given in call.keywords)

    functions = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
        and node.lineno <= row <= (node.end_lineno or node.lineno)
    ]
    inner = max(functions, key=lambda node: node.lineno, default=None)
    return (_calls(inner, says) if inner is not None else []) or _calls(tree, says)


def _lines(name: str, calls: Iterable[ast.Call]) -> _Lines:
    return {
        (name, line)
        for call in calls
        for line in range(call.lineno, (call.end_lineno or call.lineno) + 1)
    }


_now: Amends | None = None
_folder = ""


def begin(amends: Amends | None, folder: Path) -> None:
    """From now on, the program that runs in this folder is amended so."""
    global _now, _folder
    _now, _folder = amends, f"{folder}/"


def end() -> None:
    """No program is amended any more."""
    global _now
    _now = None


def _line() -> tuple[str, int]:
    """The line of the program that led here."""
    frame: Any = sys._getframe(2)
    while frame is not None:
        if frame.f_code.co_filename.startswith(_folder):
            return frame.f_code.co_filename.removeprefix(_folder), frame.f_lineno
        frame = frame.f_back
    return "", 0


def install() -> None:
    """Put the places where programs are amended into the libraries of this process, once."""
    for name in ("__call__", "encode"):
        plain = getattr(PreTrainedTokenizerBase, name)
        setattr(PreTrainedTokenizerBase, name, _amended_encoding(plain))
    PreTrainedTokenizerBase.__setattr__ = _amended_setting(PreTrainedTokenizerBase.__setattr__)
    GenerationMixin.generate = _amended_generate(GenerationMixin.generate)
    model = transformers.PreTrainedModel  # what the automatic classes and a script's own come to
    model.from_pretrained = classmethod(_amended_load(model.from_pretrained.__func__))
    transformers.AutoTokenizer.from_pretrained = staticmethod(
        _amended_tokenizer(transformers.AutoTokenizer.from_pretrained)
    )


def _amended_encoding(plain: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(plain)
    def encode(self: Any, *args: Any, **kwargs: Any) -> Any:
        if _now is not None and (_now.bos or _now.left or _now.uncut):
            line = _line()
            if line in _now.bos:
                kwargs["add_special_tokens"] = True
            if line in _now.left:
                kwargs["padding_side"] = "left"
            if line in _now.uncut:
                kwargs.pop("truncation", None)
                if kwargs.get("padding") != "max_length":
                    kwargs.pop("max_length", None)
        return plain(self, *args, **kwargs)

    return encode


def _amended_setting(plain: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(plain)
    def setting(self: Any, name: str, value: Any) -> None:
        if _now is not None and name in ("pad_token", "pad_token_id", "padding_side"):
            line = _line()
            wholes = _now.loads_left if name == "padding_side" else _now.loads_pad
            if line in _now.dropped and line[0] in wholes:
                return
        plain(self, name, value)

    return setting


def _amended_generate(plain: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(plain)
    def generate(self: Any, *args: Any, **kwargs: Any) -> Any:
        if _now is None or not _now.evaluating or _line() not in _now.evaluating:
            return plain(self, *args, **kwargs)
        training = self.training
        self.eval()
        try:
            return plain(self, *args, **kwargs)
        finally:
            self.train(training)

    return generate


def _amended_load(plain: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(plain)
    def from_pretrained(cls: Any, *args: Any, **kwargs: Any) -> Any:
        amends = _now
        found = plain(cls, *args, **kwargs)
        model = found[0] if isinstance(found, tuple) else found
        for module in model.modules():
            # The guard keeps 4-bit layers off a path that repacks their weights, with other sums.
            if "support_avx512bf16_for_cpu" in vars(module):
                module.support_avx512bf16_for_cpu = False
        if amends is not None and amends.greedy and _line() in amends.greedy:
            old = found.generation_config
            name = str(args[0] if args else kwargs["pretrained_model_name_or_path"])
            found.generation_config = _Explicit(
                bos_token_id=old.bos_token_id,
                eos_token_id=_ends(name, old.eos_token_id),
                pad_token_id=old.pad_token_id,
                **_EXPLICIT,
            )
            found.generation_config.saved = old
        return found

    return from_pretrained


class _Explicit(GenerationConfig):  # type: ignore[misc]
    """What a model generates with in the place of its own config, which is what it saves."""

    def to_dict(self) -> dict[str, Any]:
        """The settings alone."""
        return {name: value for name, value in super().to_dict().items() if name != "saved"}

    def save_pretrained(self, *args: Any, **kwargs: Any) -> None:
        """Saves what was there before."""
        self.saved.save_pretrained(*args, **kwargs)


def _ends(name: str, ends: Any) -> Any:
    """The end tokens without those that end a chat turn."""
    if not isinstance(ends, list):
        return ends
    tokenizer = transformers.AutoTokenizer.from_pretrained(name)
    return [i for i in ends if not ends_a_turn(tokenizer.convert_ids_to_tokens(i))]


def _amended_tokenizer(plain: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(plain)
    def from_pretrained(*args: Any, **kwargs: Any) -> Any:
        amends = _now
        if amends is None:
            return plain(*args, **kwargs)
        file, _ = _line()
        if file in amends.loads_long:
            kwargs.pop("model_max_length", None)
        found = plain(*args, **kwargs)
        if file in amends.loads_left:
            found.padding_side = "left"
        if file in amends.loads_right:
            found.padding_side = "right"
        if file in amends.loads_pad:
            settle_padding(found, found.padding_side, len(found))
        return found

    return from_pretrained
