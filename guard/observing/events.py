"""What was seen: one frozen value per call, complete when it is handed out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, ClassVar, Literal

Rows = tuple[tuple[int, ...], ...]
Padding = Literal["none", "left", "right", "both", "unknown"]
Origin = Literal["call", "config", "model", "default"]


@dataclass(frozen=True, slots=True)
class Site:
    """A place in the person's own code.

    Attributes:
        filename: As the interpreter knows it; `<string>` for `python -c`.
        line: 1-based line of the call's first character.
        column: 1-based, counted in characters; 1 where the interpreter does not say (Python 3.10).
        end_line: Line of the call's last character.
        end_column: Position after that character.
        function: Name of the function, `<module>` outside of any.
        own: False where every frame belongs to a library; the outermost stands here then.
    """

    filename: str
    line: int
    column: int
    end_line: int
    end_column: int
    function: str
    own: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What every event says.

    Attributes:
        number: Counts up in the order in which the calls began.
        site: The nearest frame outside of libraries.
        callers: The person's frames behind it, nearest first, eight at most.
        thread: Name of the thread.
        raised: Name of the exception that left the call; None if none did.
        kind: The class's name in lower case.
    """

    number: int
    site: Site
    callers: tuple[Site, ...] = ()
    thread: str = "MainThread"
    raised: str | None = None
    kind: ClassVar[str] = "event"

    def __init_subclass__(cls) -> None:
        cls.kind = cls.__name__.lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class Load(Event):
    """A from_pretrained, or an adapter put on a model.

    Attributes:
        what: `model`, `tokenizer`, `adapter`, `config`, `processor`, or `quantization` for a
            BitsAndBytesConfig that was put together.
        asked_class: The class that it was called on.
        name: The id or path that was asked for.
        asked: The keywords of the call, values as `frozen_value` gives them.
        loaded: What came: `class`, `name_or_path`, `dtype`, `quantization`, `adapters`,
            `generation_config`, `template_sha256`, `eos`, … as far as the kind has it. Of an adapter
            `held`, the adapters that the model had before; of a load that raised `error`, its text.
        subject: Number of the object; events about it carry the same number. None if it raised.
        guarded: CleanModelLoader asked for it.
    """

    what: str
    asked_class: str
    name: str
    asked: Mapping[str, Any]
    loaded: Mapping[str, Any]
    subject: int | None
    guarded: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Encode(Event):
    """A tokenizer call that gives ids: a call, encode, pad, tokenize with convert_tokens_to_ids.

    Attributes:
        method: Name of the method; `__call__` for a plain call.
        tokenizer: Number of the tokenizer.
        texts: What was to be encoded; empty where no text was given (`pad`, tokens).
        ids: One row for each text.
        mask: Attention mask in the same shape; None where there was none.
        asked: The keywords of the call.
        padding_side: The tokenizer's side at that moment, or the call's.
        special: Whether special tokens were asked for (the default is yes).
        guarded: CleanModelLoader called it.
    """

    method: str
    tokenizer: int
    texts: tuple[str, ...]
    ids: Rows
    mask: Rows | None
    asked: Mapping[str, Any]
    padding_side: str
    special: bool
    guarded: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Render(Event):
    """An apply_chat_template.

    Attributes:
        tokenizer: Number of the tokenizer.
        messages: The conversations, as `frozen_value` gives them.
        texts: The rendered texts; empty where the call gave ids.
        ids: The ids; empty where the call gave texts.
        template_sha256: Of the template that was used; None if there is none.
        asked: The keywords of the call.
    """

    tokenizer: int
    messages: Any
    texts: tuple[str, ...]
    ids: Rows
    template_sha256: str | None
    asked: Mapping[str, Any]
    guarded: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Decode(Event):
    """A decode or batch_decode.

    Attributes:
        tokenizer: Number of the tokenizer.
        ids: The rows.
        texts: Their texts.
        asked: The keywords of the call.
    """

    tokenizer: int
    ids: Rows
    texts: tuple[str, ...]
    asked: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prefill(Event):
    """A forward pass over more than one position, or over one without a cache.

    Attributes:
        model: Number of the outermost model that was called.
        ids: Rows of ids; empty where the call gave embeddings.
        mask: Attention mask of two dimensions; None where there was none.
        positions: Position ids; None where the call gave none.
        labels: Labels; None where the call gave none.
        padding: Where the mask is 0.
        cached: Positions that the cache held already.
        training: The model was in training mode.
        grad: Gradients were on.
        dtype: The model's, as `torch.float32`.
        generation: Number of the Generate event that it belongs to; None outside of one.
        batch: Number of the Batch event of a trainer that it belongs to, or of its evaluation step;
            None outside of one.
    """

    model: int
    ids: Rows
    mask: Rows | None
    positions: Rows | None
    labels: Rows | None
    padding: Padding
    cached: int
    training: bool
    grad: bool
    dtype: str
    generation: int | None = None
    batch: int | None = None
    guarded: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken(Event):
    """A forward pass over a prompt whose last scores, in some rows, are no numbers.

    Attributes:
        model: Number of the outermost model that was called.
        rows: How many.
        layer: The first module whose output holds one, if it was found; `cause` says why.
    """

    model: int
    rows: int
    layer: str | None
    cause: str


@dataclass(frozen=True, slots=True)
class SeedState:
    """How the generator that samples was seeded.

    Attributes:
        seeded: A seed was set in this process, by `torch.manual_seed` or what calls it.
        value: The generator's seed.
        site: Where it was set, if that was seen.
    """

    seeded: bool
    value: int | None
    site: Site | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Generate(Event):
    """A generate call.

    Attributes:
        model: Number of the model; 0 for an engine whose model is out of sight.
        engine: `transformers` or `vllm`.
        ids: The prompt's rows; empty where the call gave none.
        mask: The mask that was passed; None where none was.
        texts: Prompts that were given as text (vLLM).
        settings: The effective settings that are not None.
        origins: Where each came from: the `call`, a passed `config`, the `model`'s own, a `default`.
        seed: State of the seed when the call began.
        training: The model was in training mode.
        output: Rows of ids that came back; empty if it raised.
        prompt_length: Width of the prompt.
        said: Texts that an engine gave back, whose decoding is out of sight (vLLM).
    """

    model: int
    engine: str
    ids: Rows
    mask: Rows | None
    texts: tuple[str, ...]
    settings: Mapping[str, Any]
    origins: Mapping[str, Origin]
    seed: SeedState
    training: bool
    output: Rows
    prompt_length: int
    said: tuple[str, ...] = ()
    guarded: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch(Event):
    """A trainer's batch, as it is handed to a training step.

    Attributes:
        trainer: Class of the trainer.
        model: Number of its model.
        tokenizer: Number of its tokenizer (`processing_class`); None if it has none.
        collator: Class of its data collator.
        tensors: The batch's integer tensors of two dimensions, by name: `input_ids`, `labels`, …
    """

    trainer: str
    model: int
    tokenizer: int | None
    collator: str
    tensors: Mapping[str, Rows]


@dataclass(frozen=True, slots=True, kw_only=True)
class Save(Event):
    """A save_pretrained.

    Attributes:
        what: `model`, `tokenizer` or `adapter`.
        subject: Number of the object.
        folder: Where to.
        saved: For a tokenizer `template_sha256`, `eos`.
    """

    what: str
    subject: int
    folder: str
    saved: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change(Event):
    """A chat template that was set on a tokenizer.

    Attributes:
        subject: Number of the tokenizer.
        attribute: `chat_template` or `default_chat_template`.
        before: sha256 of the template that it had; None if it had none.
        after: Of the one that it has now; None if it was taken away.
    """

    subject: int
    attribute: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Write(Event):
    """A file that was opened to be written.

    Attributes:
        file: Its absolute path.
        guarded: The guard opened it.
    """

    file: str
    guarded: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Seed(Event):
    """A seed that was set.

    Attributes:
        value: The seed; None for `torch.seed()`, which draws one.
    """

    value: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Blind(Event):
    """Something that went on out of sight, or that the recorder could not read.

    Attributes:
        what: One sentence.
    """

    what: str


def as_json(value: Any) -> Any:
    """An event, or a part of one, as JSON's types."""
    if is_dataclass(value) and not isinstance(value, type):
        found = {field.name: as_json(getattr(value, field.name)) for field in fields(value)}
        return {"kind": value.kind, **found} if isinstance(value, Event) else found
    if isinstance(value, Mapping):
        return {str(key): as_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [as_json(item) for item in value]
    return value
