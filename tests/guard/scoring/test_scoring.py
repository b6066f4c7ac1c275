"""Scores of continuations and of texts: the boundary, batches, positions, ties and broken models."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, GPT2Config

from guard import CleanModelLoader, Loaded, Score, best_of, unguarded
from guard.errors import (
    BrokenModelError,
    ContaminationError,
    DoubledBosError,
    MemoryFullError,
    SettingsError,
    TokenizerMismatchError,
    TruncatedPromptError,
)

score, score_batch = CleanModelLoader.score, CleanModelLoader.score_batch
perplexity = CleanModelLoader.perplexity
PROMPT = "The capital of France is"
ANSWERS = [" Paris.", " Berlin.", " a city and a town.", " it"]


def by_hand(model: Any, ids: list[int], start: int) -> list[float]:
    """Each token's log-probability, from one forward of the whole row."""
    with torch.no_grad():
        logits = model(torch.tensor([ids])).logits[0].double().log_softmax(-1)
    return [float(logits[at - 1, ids[at]]) for at in range(start, len(ids))]


def test_values_are_those_of_one_plain_forward(tiny: Loaded) -> None:
    model, tokenizer, _ = tiny
    for found, answer in zip(score(model, tokenizer, PROMPT, ANSWERS), ANSWERS, strict=True):
        joined = tokenizer(PROMPT + answer, add_special_tokens=False)["input_ids"]
        assert [*found.context, *found.ids] == joined
        wanted = by_hand(model, joined, len(found.context))
        assert found.logprobs == pytest.approx(wanted, abs=1e-4)
        assert found.total == pytest.approx(sum(wanted), abs=1e-4)
        assert found.per_token == pytest.approx(found.total / len(found.ids))
        assert found.per_byte == pytest.approx(found.total / len(answer))
        assert (found.continuation, found.borrowed) == (answer, "")


def test_greedy_is_what_generate_writes(tiny: Loaded) -> None:
    model, tokenizer, _ = tiny
    text = CleanModelLoader.generate(model, tokenizer, PROMPT, max_new_tokens=3)
    [written, other] = score(model, tokenizer, PROMPT, [text, " Berlin."])
    assert written.is_greedy
    assert not other.is_greedy
    assert best_of([other, written]) == (1,)


@pytest.mark.parametrize(
    ("prompt", "continuation", "borrowed"),
    [
        pytest.param("The capital of France is ", "Paris.", " ", id="a-space-moves-over"),
        pytest.param("The capital of France is", " Paris.", "", id="the-space-is-there"),
        pytest.param("The capital of Fran", "ce is", " Fran", id="half-a-word"),
        pytest.param("Question: what?\n", "Answer", "", id="a-line-ends"),
        pytest.param("3 plus 4 is 1", "1.", None, id="digits"),
        pytest.param("Grüße aus", " Köln", "", id="letters-of-several-bytes"),
        pytest.param("Smile \U0001f642", "\U0001f642!", None, id="characters-of-four-bytes"),
    ],
)
def test_the_ids_are_those_of_the_joined_text(
    tiny: Loaded, prompt: str, continuation: str, borrowed: str | None
) -> None:
    model, tokenizer, _ = tiny
    [found] = score(model, tokenizer, prompt, [continuation])
    joined = tokenizer(prompt + continuation, add_special_tokens=False)["input_ids"]
    assert [*found.context, *found.ids] == joined
    # What is scored begins no later than the continuation, and at most one token earlier.
    assert tokenizer.decode(joined[: len(found.context)]) in prompt
    assert tokenizer.decode(joined[: len(found.context) + 1]) != prompt
    if borrowed is not None:
        assert found.borrowed == borrowed
        assert tokenizer.decode(list(found.ids)) == found.borrowed + continuation


def test_a_token_across_the_boundary_is_told(tiny: Loaded) -> None:
    model, tokenizer, _ = tiny
    word = next(
        token
        for token, index in sorted(tokenizer.get_vocab().items())
        if token.isalpha() and token.isascii() and len(token) > 4 and index > 300
    )
    assert len(tokenizer(word, add_special_tokens=False)["input_ids"]) == 1
    prompt, rest = f"{PROMPT}\n{word[:2]}", word[2:]
    [found] = score(model, tokenizer, prompt, [rest])
    assert found.borrowed == word[:2]
    assert len(found.ids) == 1


def test_a_tokenizer_that_knows_no_offsets_keeps_the_rule(
    tiny: Loaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    from guard.scoring import boundary

    model, tokenizer, _ = tiny
    pairs = [(PROMPT, ANSWERS), (f"{PROMPT} ", ["Paris."]), ("3 plus 4 is", [" 7."])]
    wanted = score_batch(model, tokenizer, pairs)
    monkeypatch.setattr(boundary, "_spans", lambda *_: None)
    for found, one in zip(score_batch(model, tokenizer, pairs), wanted, strict=True):
        assert [s.ids for s in found] == [s.ids for s in one]


@pytest.mark.parametrize("size", [1, 3, 64])
def test_no_batch_changes_a_value(tiny: Loaded, size: int) -> None:
    model, tokenizer, _ = tiny
    questions = [(PROMPT, ANSWERS), ("A dog", [" is", " and a cat"]), ("", ["3 plus 4"])]
    alone = [[score(model, tokenizer, p, [c])[0] for c in cs] for p, cs in questions]
    found = score_batch(model, tokenizer, questions, batch_size=size)
    assert [len(part) for part in found] == [4, 2, 1]
    for part, ones in zip(found, alone, strict=True):
        for one, wanted in zip(part, ones, strict=True):
            assert one.ids == wanted.ids
            assert one.logprobs == pytest.approx(wanted.logprobs, abs=1e-4)


def test_the_same_text_split_elsewhere_has_its_own_tokens_scores(tiny: Loaded) -> None:
    # What lm-evaluation-harness' cache gets wrong.
    model, tokenizer, _ = tiny
    whole, part = score_batch(
        model, tokenizer, [("The capital of", [" France is Paris"]), (PROMPT, [" Paris"])]
    )
    assert whole[0].logprobs[-1] == pytest.approx(part[0].logprobs[-1], abs=1e-5)
    assert len(part[0].logprobs) == 1


@pytest.fixture
def gpt2(tiny_dir: Path, tmp_path: Path) -> Loaded:
    """A random model with absolute positions."""
    torch.manual_seed(0)
    config = GPT2Config(
        vocab_size=702, n_embd=32, n_layer=2, n_head=4, n_positions=64, bos_token_id=0, eos_token_id=0
    )  # fmt: skip
    model = AutoModelForCausalLM.from_config(config)
    for parameter in model.parameters():
        if parameter.dim() > 1:
            torch.nn.init.normal_(parameter, std=0.3)
    model.save_pretrained(tmp_path)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(tiny_dir / name, tmp_path)
    return CleanModelLoader(tmp_path, dtype="float32").load()


def test_absolute_positions_are_those_of_the_text(gpt2: Loaded) -> None:
    model, tokenizer, _ = gpt2
    questions = [(PROMPT, ANSWERS), ("A dog", [" is"])]
    for part in score_batch(model, tokenizer, questions):
        for found in part:
            ids = [*found.context, *found.ids]
            assert found.logprobs == pytest.approx(
                by_hand(model, ids, len(found.context)), abs=1e-4
            )


@pytest.mark.parametrize("adds", [True, False])
def test_one_bos_stands_before_every_window_and_prompt(
    llama_like: Callable[[bool], Path], adds: bool
) -> None:
    model, tokenizer, _ = CleanModelLoader(llama_like(adds), dtype="float32").load()
    for found in [*score(model, tokenizer, PROMPT, ANSWERS), *score(model, tokenizer, "", ["A dog"])]:  # fmt: skip
        assert found.context[0] == 1
        assert 1 not in [*found.context[1:], *found.ids]
    seen: list[list[int]] = []
    model.register_forward_pre_hook(
        lambda _m, _a, kw: seen.extend(kw["input_ids"].tolist()), with_kwargs=True
    )
    found = perplexity(model, tokenizer, [", ".join(map(str, range(60)))], window=16)
    assert len(seen) == found.windows > 3
    assert all(row[0] == 1 and row[1] != 1 for row in seen)
    with pytest.raises(DoubledBosError):
        score(model, tokenizer, "<|begin_of_text|>A dog", [" is"])
    with pytest.raises(DoubledBosError):
        perplexity(model, tokenizer, ["A dog <|begin_of_text|>"])


def test_the_first_token_of_a_family_without_bos_follows_the_end_of_a_text(tiny: Loaded) -> None:
    model, tokenizer, _ = tiny
    [found] = score(model, tokenizer, "", ["A dog"])
    assert found.context == (tokenizer.eos_token_id,)
    text = perplexity(model, tokenizer, ["A dog"])
    assert text.logprob == pytest.approx(found.total, abs=1e-5)
    assert text.tokens == len(found.ids)


TEXT = "A dog and a cat, 3 plus 4 is 7. " * 8


@pytest.mark.parametrize(
    ("window", "overlap"), [(16, 1), (16, 8), (17, 5), (33, None), (200, None)]
)
def test_every_token_is_scored_once(tiny: Loaded, window: int, overlap: int | None) -> None:
    model, tokenizer, _ = tiny
    ids = tokenizer(TEXT, add_special_tokens=False)["input_ids"]
    found = perplexity(model, tokenizer, [TEXT], window=window, overlap=overlap)
    assert found.tokens == len(ids)
    assert found.bytes == len(TEXT.encode())
    # Each window by hand: what it reads, and what of it is new.
    total, done, again = 0.0, min(len(ids), window), overlap or window // 2
    total += sum(by_hand(model, [0, *ids[:done]], 1))
    while done < len(ids):
        end = min(len(ids), done + window - again + 1)
        part = ids[max(0, end - window - 1) : end]
        total += sum(by_hand(model, part, len(part) - (end - done)))
        done = end
    assert found.logprob == pytest.approx(total, abs=2e-3)
    assert found.overlap == again


def test_texts_together_are_weighted_by_tokens(tiny: Loaded) -> None:
    model, tokenizer, _ = tiny
    texts = [TEXT, "A dog", PROMPT]
    for size in (1, 2, None):
        found = perplexity(model, tokenizer, texts, batch_size=size)
        assert found.logprob == pytest.approx(sum(t.logprob for t in found.texts))
        assert found.tokens == sum(t.tokens for t in found.texts)
        assert found.by_token == pytest.approx(math.exp(-found.logprob / found.tokens))
        assert found.by_byte == pytest.approx(math.exp(-found.logprob / found.bytes))
        assert 2**found.bits_per_byte == pytest.approx(found.by_byte)
        for text, one in zip(texts, found.texts, strict=True):
            [alone] = perplexity(model, tokenizer, [text]).texts
            assert one.logprob == pytest.approx(alone.logprob, abs=1e-3)


def test_ties_are_told(fresh: Loaded) -> None:
    model, tokenizer, _ = fresh
    with torch.no_grad():
        model.lm_head.weight = torch.nn.Parameter(torch.zeros_like(model.lm_head.weight))
    found = score(model, tokenizer, PROMPT, [" Paris.", " Berlin.", " it"])
    assert all(one.is_greedy and one.ties == len(one.ids) for one in found)
    assert best_of(found, "per_token") == (0, 1, 2)
    assert found[0].per_token == pytest.approx(-math.log(702), abs=1e-5)


def test_scores_that_are_no_numbers_raise(fresh: Loaded) -> None:
    model, tokenizer, _ = fresh
    with torch.no_grad():
        model.model.layers[1].mlp.down_proj.weight[3, 5] = float("nan")
    for call in (
        lambda: score(model, tokenizer, PROMPT, ANSWERS),
        lambda: perplexity(model, tokenizer, [TEXT], window=16),
    ):
        with pytest.raises(BrokenModelError, match=r"begins in model\.layers\.1\.mlp\.down_proj"):
            call()


def test_full_memory_halves_the_batch(fresh: Loaded, monkeypatch: pytest.MonkeyPatch) -> None:
    model, tokenizer, _ = fresh
    wanted = score(model, tokenizer, PROMPT, ANSWERS)
    real, sizes = model.forward, []

    def small(**inputs: Any) -> Any:
        sizes.append(len(inputs["input_ids"]))
        if sizes[-1] > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return real(**inputs)

    monkeypatch.setattr(model, "forward", small)
    found = score(model, tokenizer, PROMPT, ANSWERS)
    assert [one.logprobs for one in found] == [
        pytest.approx(one.logprobs, abs=1e-5) for one in wanted
    ]
    assert sizes[:3] == [4, 2, 1]
    monkeypatch.setattr(
        model, "forward", lambda **_: (_ for _ in ()).throw(torch.OutOfMemoryError())
    )
    with pytest.raises(MemoryFullError, match="one text of"):
        score(model, tokenizer, PROMPT, ANSWERS)


def test_what_is_no_text_is_refused(fresh: Loaded, llama_like: Callable[[bool], Path]) -> None:
    model, tokenizer, provenance = fresh
    for continuations in ("Paris", b"Paris", {"a": 1}, 5, [], [""], [None], ["a", 3]):
        with pytest.raises(SettingsError):
            score(model, tokenizer, PROMPT, continuations)  # type: ignore[arg-type]
    for texts in ("Paris", [], [""], [None], 5, {"a": "b"}):
        with pytest.raises(SettingsError):
            perplexity(model, tokenizer, texts)  # type: ignore[arg-type]
    for options in (
        {"window": 0}, {"window": 1.5}, {"overlap": 0}, {"window": 8, "overlap": 9},
        {"window": 10**6}, {"batch_size": 0}, {"batch_size": True},
    ):  # fmt: skip
        with pytest.raises(SettingsError):
            perplexity(model, tokenizer, [TEXT], **options)  # type: ignore[arg-type]
    with pytest.raises(ContaminationError):
        score(model, tokenizer, PROMPT, ["<|im_start|>"])
    with pytest.raises(ContaminationError):
        perplexity(model, tokenizer, ["a <|im_end|> b"])
    with unguarded(model, reason="a test"):
        assert score(model, tokenizer, PROMPT, ["<|im_start|>"])[0].ids
    with pytest.raises(TruncatedPromptError):
        score(model, tokenizer, "cat " * (provenance.model.context or 0), [" dog"])
    other = CleanModelLoader(llama_like(True)).load_tokenizer()
    with pytest.raises(TokenizerMismatchError):
        score(model, other, PROMPT, ANSWERS)


def test_scoring_leaves_the_model_as_it_was(fresh: Loaded) -> None:
    model, tokenizer, _ = fresh
    model.train()
    score(model, tokenizer, PROMPT, ANSWERS)
    assert all(module.training for module in model.modules())
    assert all(p.grad is None for p in model.parameters())
    assert isinstance(score(model, tokenizer, PROMPT, ANSWERS)[0], Score)


def test_special_tokens_may_be_read_as_text(tiny: Loaded) -> None:
    model, tokenizer, _ = tiny
    [found] = score(model, tokenizer, "A dog <|im_end|>", [" is"], special_tokens="text")
    assert set(found.context).isdisjoint({1, 2})
    assert tokenizer.decode([*found.context, *found.ids]) == "A dog <|im_end|> is"
    assert tokenizer.decode(list(found.ids)) == " is"
    text = perplexity(model, tokenizer, ["a <|im_end|> b"], special_tokens="text")
    assert text.tokens > 6
    with pytest.raises(SettingsError, match="special_tokens"):
        perplexity(model, tokenizer, ["a"], special_tokens="keep")  # type: ignore[arg-type]
