"""What a batch does when memory is full, when Ctrl-C comes, and while somebody watches."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
import torch

from guard import CleanModelLoader, Completion, JsonlWriter, Loaded, provenance_of
from guard.errors import GenerationInterrupted, MemoryFullError
from guard.records.verification import verify_file

generate_batch = CleanModelLoader.generate_batch
PROMPTS = [f"{a} plus {b} is" for a in range(4) for b in range(5)]


def limit(loaded: Loaded, monkeypatch: pytest.MonkeyPatch, rows: int, error: BaseException) -> Any:
    """Makes the model run out of memory with more than some rows; returns the sizes it was given."""
    real, sizes = loaded.model.generate, []

    def crowded(**options: Any) -> Any:
        sizes.append(len(options["input_ids"]))
        if sizes[-1] > rows:
            raise error
        return real(**options)

    monkeypatch.setattr(loaded.model, "generate", crowded)
    return sizes


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory"),
        MemoryError(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_full_memory_halves_the_batch_for_the_rest_of_the_call(
    fresh: Loaded, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    wanted = generate_batch(fresh.model, fresh.tokenizer, PROMPTS, max_new_tokens=4)
    sizes = limit(fresh, monkeypatch, 6, error)
    found = CleanModelLoader.complete(fresh.model, fresh.tokenizer, PROMPTS, max_new_tokens=4)
    assert [completion.text for completion in found] == wanted
    assert sizes == [20, 10, 5, 5, 5, 5]
    assert {completion.batch for completion in found} == {5}
    halved = [e.detail for e in provenance_of(fresh.model).events if e.kind == "batch-halved"]
    assert halved == [{"rows": 10}, {"rows": 5}]


def test_another_error_is_not_taken_for_a_full_memory(
    fresh: Loaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = limit(fresh, monkeypatch, 1, RuntimeError("shapes do not match"))
    with pytest.raises(RuntimeError, match="shapes"):
        generate_batch(fresh.model, fresh.tokenizer, PROMPTS, max_new_tokens=4)
    assert sizes == [20]


def test_one_prompt_that_does_not_fit_leaves_what_was_finished(
    fresh: Loaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompts = ["A dog", "The capital of France is", "cat " * 40 + "The capital"]
    real = fresh.model.generate

    def crowded(**options: Any) -> Any:
        if options["input_ids"].shape[1] < 5:
            raise torch.OutOfMemoryError("full")
        return real(**options)

    monkeypatch.setattr(fresh.model, "generate", crowded)
    with pytest.raises(MemoryFullError, match="prompt 0 alone") as caught:
        generate_batch(fresh.model, fresh.tokenizer, prompts, max_new_tokens=4, batch_size=1)
    assert sorted(caught.value.finished) == [1, 2]
    assert isinstance(caught.value.finished[1][0], Completion)


def stop_after(loaded: Loaded, monkeypatch: pytest.MonkeyPatch, batches: int) -> None:
    real, calls = loaded.model.generate, [0]

    def interrupted(**options: Any) -> Any:
        calls[0] += 1
        if calls[0] > batches:
            raise KeyboardInterrupt
        return real(**options)

    monkeypatch.setattr(loaded.model, "generate", interrupted)


def test_ctrl_c_carries_what_was_finished(fresh: Loaded, monkeypatch: pytest.MonkeyPatch) -> None:
    model, tokenizer, _ = fresh
    wanted = generate_batch(model, tokenizer, PROMPTS, max_new_tokens=4)
    stop_after(fresh, monkeypatch, 3)
    with pytest.raises(KeyboardInterrupt, match="12 of 20") as caught:
        generate_batch(model, tokenizer, PROMPTS, max_new_tokens=4, batch_size=4)
    assert isinstance(caught.value, GenerationInterrupted)
    finished = caught.value.finished
    assert len(finished) == 12
    assert all(finished[place][0].text == wanted[place] for place in finished)


def test_ctrl_c_then_resume_gives_every_record_once(
    fresh: Loaded, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    model, tokenizer, _ = fresh
    path = tmp_path / "out.jsonl"

    def run() -> None:
        with JsonlWriter(path, model) as out:
            todo = [prompt for prompt in PROMPTS if prompt not in out]
            generate_batch(
                model, tokenizer, todo, max_new_tokens=4, batch_size=4, temperature=1.0, seed=1,
                on_finished=lambda at, done: out.write(todo[at], done[0]),
            )  # fmt: skip

    with monkeypatch.context() as patch:
        stop_after(fresh, patch, 3)
        with pytest.raises(KeyboardInterrupt):
            run()
    assert len(path.read_text().splitlines()) == 12
    run()
    texts = {r["key"]: r["text"] for r in map(json.loads, path.read_text().splitlines())}
    at_once = generate_batch(
        model, tokenizer, PROMPTS, max_new_tokens=4, temperature=1.0, seed=1, batch_size=7
    )
    assert [texts[prompt] for prompt in PROMPTS] == at_once
    assert verify_file(path).problems == ()


def test_on_finished_waits_for_all_texts_of_a_prompt(tiny: Loaded) -> None:
    told: dict[int, list[Completion]] = {}
    texts = generate_batch(
        tiny.model, tiny.tokenizer, PROMPTS[:5], max_new_tokens=4, temperature=1.0, seed=1,
        num_return_sequences=3, batch_size=4, on_finished=told.__setitem__,
    )  # fmt: skip
    assert sorted(told) == list(range(5))
    assert [done.text for place in range(5) for done in told[place]] == texts


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_is_shown_on_a_terminal_only(
    tiny: Loaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    for stream, wanted, seen in (
        (Terminal(), None, True),
        (io.StringIO(), None, False),
        (Terminal(), False, False),
        (io.StringIO(), True, True),
    ):
        monkeypatch.setattr("sys.stderr", stream)
        generate_batch(
            tiny.model, tiny.tokenizer, PROMPTS, max_new_tokens=2, batch_size=8, progress=wanted
        )
        assert ("20/20" in stream.getvalue()) == seen
        assert ("tok/s" in stream.getvalue()) == seen


def test_control_tokens_that_the_model_emits_are_counted_not_refused(fresh: Loaded) -> None:
    model, tokenizer, _ = fresh
    control = fresh.provenance.tokenizer.control_ids[0]
    before = CleanModelLoader.complete(model, tokenizer, ["A dog"], max_new_tokens=5)
    assert before[0].control_tokens == 0
    model.lm_head.register_forward_hook(
        lambda _module, _args, out: out.index_fill(-1, torch.tensor([control]), 1e4)
    )
    [found] = CleanModelLoader.complete(model, tokenizer, ["A dog"], max_new_tokens=5)
    assert found.ids == (control,) * 5
    assert (found.control_tokens, found.text, found.finish_reason) == (5, "", "length")
