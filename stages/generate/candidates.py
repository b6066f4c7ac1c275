"""Asks a base model for answers to instructions, and judges what it wrote."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from guard.records.writer import item_key
from stages.engines import Engine, TransformersEngine
from stages.generate.answers import Answer, answer_in, given_answer
from stages.generate.config import GenerateConfig
from stages.generate.seeds import Seed
from stages.likelihood import likelihoods
from stages.tokens import is_plain, rows_of

if TYPE_CHECKING:
    from guard import Completion


@dataclass(frozen=True, slots=True)
class Candidate:
    """An answer to an instruction, before the critic.

    Attributes:
        key: The key of its record.
        seed: The instruction.
        asked: The text that the model went on from; None where the answer was given.
        number: Which of the answers to this instruction.
        answer: What was cut out of the text.
        completion: The text as generated.
    """

    key: str
    seed: Seed
    asked: str | None
    number: int
    answer: Answer
    completion: Completion | None


def asked_text(config: GenerateConfig, seed: Seed) -> str | None:
    """The text that the base model goes on from; None where an answer is given."""
    if seed.response is not None:
        return None
    return seed.ask if config.style == "completion" else training_prompt(config, seed)


def training_prompt(config: GenerateConfig, seed: Seed) -> str:
    """The instruction in the format that fine-tuning teaches."""
    return config.prompt.replace("{instruction}", seed.instruction)


def candidates_for(
    engine: Engine, config: GenerateConfig, seeds: Sequence[Seed]
) -> Iterator[Candidate]:
    """Every answer to some instructions, usable or not, in their order."""
    asked = [asked_text(config, seed) for seed in seeds]
    texts = list(dict.fromkeys(text for text in asked if text is not None))
    written: dict[str, list[Completion]] = {}
    if texts:
        found = engine.complete(
            texts,
            batch_size=config.batch_size, max_new_tokens=config.max_new_tokens,
            temperature=config.temperature, top_p=config.top_p if config.temperature else None,
            seed=config.seed if config.temperature else None,
            num_return_sequences=config.samples,
        )  # fmt: skip
        width = config.samples
        written = {text: found[at * width : (at + 1) * width] for at, text in enumerate(texts)}
    for seed, text in zip(seeds, asked, strict=True):
        keys = keys_of(config, seed)
        if text is None:
            yield Candidate(keys[0], seed, None, 0, _given(engine, config, seed), None)
            continue
        for number, (key, completion) in enumerate(zip(keys, written[text], strict=True)):
            answer = answer_in(completion, config.cut_at, completes=config.style == "completion")
            yield Candidate(key, seed, text, number, answer, completion)


def _given(engine: Engine, config: GenerateConfig, seed: Seed) -> Answer:
    """The answer that came with an instruction, held against what training would refuse."""
    text = seed.response or ""
    whole = f"{training_prompt(config, seed)} {text}"
    return given_answer(text, plain=is_plain(engine.tokenizer, whole))


def criticised(
    engine: Engine, config: GenerateConfig, candidates: Sequence[Candidate]
) -> list[float | None]:
    """The mean log-probability of each usable answer after the text that it answers."""
    if config.critic == "none" or not isinstance(engine, TransformersEngine):
        return [None] * len(candidates)
    usable = [at for at, one in enumerate(candidates) if one.answer.reason is None]
    pairs = [
        (candidates[at].asked or training_prompt(config, candidates[at].seed), f" {candidates[at].answer.text}")
        for at in usable
    ]  # fmt: skip
    loaded = engine.loaded
    scored = likelihoods(
        loaded.model, loaded.tokenizer, rows_of(loaded.tokenizer, pairs, eos=False),
        batch_size=config.batch_size,
    ) if pairs else []  # fmt: skip
    by_place = {at: one.mean for at, one in zip(usable, scored, strict=True)}
    return [by_place.get(at) for at in range(len(candidates))]


def keys_of(config: GenerateConfig, seed: Seed) -> list[str]:
    """The keys of the records that an instruction will have."""
    count = 1 if seed.response is not None else config.samples
    return [item_key(seed.group, seed.instruction, number) for number in range(count)]


def verdict_on(
    config: GenerateConfig,
    candidate: Candidate,
    logprob: float | None,
    seen: set[tuple[str, str]],
) -> str | None:
    """Why an answer is dropped, None if it is kept; `seen` remembers what was kept."""
    if candidate.answer.reason is not None:
        return candidate.answer.reason
    if logprob is not None and logprob < config.min_logprob:
        return "unlikely"
    pair = (candidate.seed.instruction, candidate.answer.text)
    if pair in seen:
        return "duplicate"
    seen.add(pair)
    return None


def record_of(config: GenerateConfig, one: Candidate, logprob: float | None) -> dict[str, Any]:
    """What is written of an answer, kept or dropped."""
    return {
        "prompt": training_prompt(config, one.seed),
        "completion": f" {one.answer.text}",
        "instruction": one.seed.instruction,
        "kind": one.seed.kind,
        "group": one.seed.group,
        "origin": "file" if one.completion is None else "model",
        "asked": one.asked or "",
        "sample": one.number,
        "draw": one.completion.seed if one.completion else None,
        "logprob": logprob,
    }
