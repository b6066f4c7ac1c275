"""The keywords of `generate` and what they come to: greedy unless asked to sample."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypedDict

from guard.base.keywords import refuse_unknown
from guard.errors import SettingsError
from guard.files.hub import transformers
from guard.files.request import SpecialTokens
from guard.settings.ranges import in_range

if TYPE_CHECKING:
    from transformers import GenerationConfig


class CallOptions(TypedDict, total=False):
    """The keywords that calls on text and on ids have in common; each says what it means by them."""

    max_new_tokens: int | None
    max_length: int | None
    min_new_tokens: int | None
    do_sample: bool | None
    temperature: float | None
    top_p: float | None
    top_k: int | None
    min_p: float | None
    num_beams: int | None
    length_penalty: float | None
    early_stopping: bool | str | None
    repetition_penalty: float | None
    no_repeat_ngram_size: int | None
    eos_token_id: int | list[int] | None
    pad_token_id: int | None
    use_cache: bool | None
    stop_strings: str | list[str] | None
    seed: int | None


class TextOptions(CallOptions, total=False):
    """Keywords of `generate` that shape one text; the names are those of transformers.

    Attributes:
        max_new_tokens: Most tokens to generate. This or `max_length` must be given.
        max_length: Most tokens of prompt and answer together; `max_new_tokens` wins.
        min_new_tokens: EOS is barred before this many tokens.
        do_sample: True samples, False does not, whatever else is said.
        temperature: Above 0 asks for sampling; 0 is greedy.
        top_p, top_k, min_p: Cut the distribution when sampling; off unless given (transformers' own
            top_k of 50 is not applied).
        num_beams, length_penalty, early_stopping: Beam search.
        repetition_penalty, no_repeat_ngram_size: Off unless given.
        eos_token_id: Ends a text instead of the model's own EOS.
        pad_token_id: Accepted and ignored: the guard pads.
        use_cache: As in transformers.
        stop_strings: Ends a text, which keeps the string.
        skip_special_tokens, clean_up_tokenization_spaces: As in `decode`; specials are left out
            unless said otherwise.
        return_full_text: The text begins with the prompt.
        seed: Seed for sampling; drawn and recorded if missing.
        special_tokens: `text` reads the spelling of a special token in a prompt as plain characters,
            which is recorded as an event; `refuse` refuses it. What the loader was told holds otherwise.
    """

    skip_special_tokens: bool
    clean_up_tokenization_spaces: bool | None
    return_full_text: bool
    special_tokens: SpecialTokens | None


class GenerationOptions(TextOptions, total=False):
    """All keywords of `generate`, `generate_batch` and `complete`.

    Attributes:
        num_return_sequences: Texts per prompt; the result is a list then.
    """

    num_return_sequences: int | None


GENERATION_KEYWORDS: frozenset[str] = frozenset(
    {*TextOptions.__annotations__, *GenerationOptions.__annotations__}
)
_SAMPLING_ONLY = ("temperature", "top_p", "top_k", "min_p")
_BEAMS_ONLY = ("length_penalty", "early_stopping")


@dataclass(frozen=True, slots=True)
class Settings:
    """What a call comes to; None means off or not said. Fields are named as in GenerationOptions.

    Attributes:
        sampling: Whether texts are sampled.
        count: Texts per prompt.
        ignored: Settings that were given and have no effect.
    """

    max_new_tokens: int | None
    max_length: int | None
    min_new_tokens: int | None
    sampling: bool
    temperature: float
    top_p: float | None
    top_k: int | None
    min_p: float | None
    num_beams: int
    length_penalty: float | None
    early_stopping: bool | str | None
    repetition_penalty: float | None
    no_repeat_ngram_size: int | None
    eos_token_id: tuple[int, ...] | None
    use_cache: bool
    stop_strings: tuple[str, ...]
    count: int
    skip_special_tokens: bool
    clean_up_tokenization_spaces: bool | None
    return_full_text: bool
    seed: int | None
    ignored: tuple[str, ...]
    special_tokens: SpecialTokens | None = None


def settle(call: str, given: Mapping[str, Any]) -> Settings:
    """Turn the keywords of a call into settings.

    Raises:
        LoaderCallError: A keyword that does not exist.
        SettingsError: No length, or settings that contradict each other.
    """
    refuse_unknown(call, given, GENERATION_KEYWORDS)
    said = {name: value for name, value in given.items() if value is not None}
    said = in_range(said)
    temperature = said.get("temperature")
    asked = said.get("do_sample")
    sampling = bool(asked) if asked is not None else bool(temperature)
    beams, count = said.get("num_beams", 1), said.get("num_return_sequences", 1)
    _refuse_contradictions(call, said, sampling, beams, count)
    ignored = [name for name in _SAMPLING_ONLY if name in said and not sampling and said[name]]
    ignored += ["seed"] if "seed" in said and not sampling else []
    ignored += [name for name in _BEAMS_ONLY if name in said and beams == 1]
    ignored += ["max_length"] if {"max_length", "max_new_tokens"} <= said.keys() else []
    eos, stops = said.get("eos_token_id"), said.get("stop_strings", ())
    return Settings(
        max_new_tokens=said.get("max_new_tokens"),
        max_length=said.get("max_length"),
        min_new_tokens=said.get("min_new_tokens"),
        sampling=sampling,
        temperature=float(temperature or 1.0),
        top_p=said.get("top_p") if sampling else None,
        top_k=(said.get("top_k") or None) if sampling else None,
        min_p=said.get("min_p") if sampling else None,
        num_beams=beams,
        length_penalty=said.get("length_penalty") if beams > 1 else None,
        early_stopping=said.get("early_stopping") if beams > 1 else None,
        repetition_penalty=said.get("repetition_penalty"),
        no_repeat_ngram_size=said.get("no_repeat_ngram_size"),
        eos_token_id=None if eos is None else (eos,) if isinstance(eos, int) else tuple(eos),
        use_cache=said.get("use_cache", True),
        stop_strings=(stops,) if isinstance(stops, str) else tuple(stops),
        count=count,
        skip_special_tokens=said.get("skip_special_tokens", True),
        clean_up_tokenization_spaces=said.get("clean_up_tokenization_spaces"),
        return_full_text=said.get("return_full_text", False),
        seed=said.get("seed"),
        ignored=tuple(ignored),
        special_tokens=said.get("special_tokens"),
    )


def _refuse_contradictions(
    call: str, said: Mapping[str, Any], sampling: bool, beams: int, count: int
) -> None:
    if "max_new_tokens" not in said and "max_length" not in said:
        raise SettingsError(
            f"{call} was not told how long a text may get",
            remedy="pass max_new_tokens (transformers' silent default is a total of 20 tokens)",
        )
    least, most = said.get("min_new_tokens", 0), said.get("max_new_tokens")
    if most is not None and least > most:
        raise SettingsError(
            f"min_new_tokens={least} with max_new_tokens={most}",
            remedy="a text cannot be longer than it may get",
        )
    if sampling and said.get("temperature") == 0:
        raise SettingsError(
            "do_sample=True with temperature=0",
            remedy="leave out do_sample: temperature 0 is greedy",
        )
    if sampling and beams > 1:
        raise SettingsError(
            "sampling together with num_beams > 1", remedy="choose one: beams, or do_sample"
        )
    if count > 1 and not sampling and count > beams:
        if beams == 1:
            raise SettingsError(
                f"{count} texts from a greedy call are the same text",
                remedy="sample, use num_beams, or leave out num_return_sequences",
            )
        raise SettingsError(
            f"num_return_sequences={count} with num_beams={beams}: a search with {beams} beams ends "
            f"with {beams} texts",
            remedy=f"num_beams={count} or more, num_return_sequences={beams} or fewer, or sample",
        )


def refuse_ends_beyond(settings: Settings, rows: int | None) -> None:
    """Refuse an end that a model of so many embeddings can never write, where that is known."""
    beyond = [index for index in settings.eos_token_id or () if rows and index >= rows]
    if beyond:
        raise SettingsError(
            f"eos_token_id={beyond[0]}, and the model's ids are below {rows}",
            evidence={"beyond": beyond, "rows": rows},
            remedy="name an id of the tokenizer, or leave it out: the model's own end is known",
        )


def greedy_config(
    eos: tuple[int, ...], bos: int | None, pad: int | None, **changes: Any
) -> GenerationConfig:
    """A generation config that says everything: greedy, one beam, no penalty, no length default."""
    settings: dict[str, Any] = {
        "do_sample": False,
        "num_beams": 1,
        "temperature": 1.0,
        "top_p": 1.0,
        "repetition_penalty": 1.0,
        "no_repeat_ngram_size": 0,
        "length_penalty": 1.0,
        "early_stopping": False,
        "use_cache": True,
        "bos_token_id": bos,
        "eos_token_id": None if not eos else eos[0] if len(eos) == 1 else list(eos),
        "pad_token_id": pad,
    }
    return transformers.GenerationConfig(**{**settings, **changes})


def config_for(
    settings: Settings, eos: tuple[int, ...], pad: int | None, budget: int
) -> GenerationConfig:
    """The config of one call; processors do the sampling and the penalties, so it is plain and greedy."""
    named = {
        "min_new_tokens": settings.min_new_tokens,
        "length_penalty": settings.length_penalty,
        "early_stopping": settings.early_stopping,
        "stop_strings": list(settings.stop_strings) or None,
    }
    changes: dict[str, Any] = {name: value for name, value in named.items() if value is not None}
    if not settings.sampling:
        changes |= {"num_beams": settings.num_beams, "num_return_sequences": settings.count}
    return greedy_config(
        settings.eos_token_id or eos, None, pad,
        max_new_tokens=budget, use_cache=settings.use_cache, **changes,
    )  # fmt: skip
