"""The fast road of generation on a CPU: the loop that a GPU captures gives what `generate` gives."""

from __future__ import annotations

import gc
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch.nn.modules.module import register_module_forward_pre_hook
from transformers import AutoModelForCausalLM

from guard import CleanModelLoader, Completion, Loaded
from guard.base.caches import cache_in
from guard.decoding import graphs, memory, steps
from guard.decoding.loop import Batch, generate
from guard.decoding.prefill import groups
from guard.decoding.prefix import shared_prefix
from guard.decoding.proof import prove
from guard.decoding.steps import Steps, rounded
from guard.decoding.support import NoRoad, support_of
from guard.enforcing.passing import vetted
from guard.errors import (
    BrokenModelError,
    GenerationInterrupted,
    GuardWarning,
    SettingsError,
    UnguardedModelError,
)
from guard.prompts.state import state_of
from guard.settings.jobs import filled_up
from tests.guard.families import FIXED, PLAIN, lay

complete = CleanModelLoader.complete
PROMPTS = [
    "".join(f"{i} plus {n} is {i + n}.\n" for n in range(1 + i % 4)) + f"{i} plus 1 is"
    for i in range(9)
]
SHOTS = "".join(f"{i} plus {i} is {2 * i}.\n" for i in range(9))
SETTINGS: dict[str, dict[str, Any]] = {
    "greedy": {},
    "to the full length": {"eos_token_id": 701},
    "stop strings": {"stop_strings": ["1", "plus 3"], "eos_token_id": 701},
    "a repetition penalty": {"repetition_penalty": 1.3},
    "no repeated trigram": {"no_repeat_ngram_size": 3, "eos_token_id": 701},
    "at least ten tokens": {"min_new_tokens": 10},
    "sampled": {"temperature": 0.8, "seed": 3, "top_p": 0.9, "top_k": 20},
    "several texts": {"temperature": 1.2, "seed": 3, "num_return_sequences": 3},
    "a bit of all": {
        "temperature": 1.5, "seed": 1, "min_p": 0.01, "repetition_penalty": 1.1,
        "stop_strings": "7", "min_new_tokens": 3,
    },
    "up to a total length": {"max_length": 70, "max_new_tokens": None},
}  # fmt: skip


def alike(found: list[Completion], wanted: list[Completion]) -> None:
    def told(one: Completion) -> Any:
        return one.ids, one.text, one.finish_reason, one.prompt_tokens, one.seed

    assert [told(one) for one in found] == [told(one) for one in wanted]


@pytest.mark.parametrize("name", SETTINGS)
def test_the_loop_gives_what_generate_gives(tiny: Loaded, name: str) -> None:
    options = {"max_new_tokens": 24, **SETTINGS[name]}
    wanted = complete(tiny.model, tiny.tokenizer, PROMPTS, engine="plain", **options)
    found = complete(tiny.model, tiny.tokenizer, PROMPTS, **options)
    alike(found, wanted)
    assert {one.engine for one in found} == {"loop"}
    assert {one.engine for one in wanted} == {"plain"}


@pytest.mark.parametrize("name", FIXED)
def test_every_family_that_takes_the_buffers_gives_the_same(name: str, tmp_path: Path) -> None:
    model, tokenizer, _ = CleanModelLoader(lay(name, tmp_path), dtype="float32").load()
    for prompts in (PROMPTS, [SHOTS + prompt for prompt in PROMPTS]):
        options = {"max_new_tokens": 20}
        wanted = complete(model, tokenizer, prompts, engine="plain", **options)
        found = complete(model, tokenizer, prompts, **options)
        alike(found, wanted)
        assert found[0].engine == "loop"


@pytest.mark.parametrize("name", PLAIN)
def test_a_family_that_does_not_take_them_goes_the_plain_road(name: str, tmp_path: Path) -> None:
    model, tokenizer, _ = CleanModelLoader(lay(name, tmp_path), dtype="float32").load()
    [found] = complete(model, tokenizer, PROMPTS[:1], max_new_tokens=4)
    assert found.engine == "plain"


@pytest.mark.parametrize("prompts", [PROMPTS, [SHOTS + one for one in PROMPTS], ["1 plus"] * 5])
def test_captured_steps_give_the_same(
    tiny: Loaded, prompts: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = complete(tiny.model, tiny.tokenizer, prompts, max_new_tokens=100, eos_token_id=701)
    with captured(monkeypatch) as made:
        found = complete(tiny.model, tiny.tokenizer, prompts, max_new_tokens=100, eos_token_id=701)
        alike(found, wanted)
        assert len(made) >= 2  # the proof's, and one for each window


def test_captured_steps_with_sampling_and_rows_that_leave(
    tiny: Loaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {"max_new_tokens": 60, "temperature": 1.1, "seed": 4, "num_return_sequences": 2}
    wanted = complete(tiny.model, tiny.tokenizer, PROMPTS, engine="plain", **options)
    assert len({len(one.ids) for one in wanted}) > 3
    with captured(monkeypatch):
        alike(complete(tiny.model, tiny.tokenizer, PROMPTS, **options), wanted)


class _Again:
    """Stands in for a CUDA graph: a replay does the captured work over the same tensors."""

    def __init__(self, work: Callable[[], None]) -> None:
        self.replay = work


def captured(monkeypatch: pytest.MonkeyPatch) -> Any:
    from contextlib import contextmanager

    made: list[int] = []

    def capture(work: Callable[[], None]) -> _Again:
        work()
        made.append(1)
        return _Again(work)

    @contextmanager
    def steps_for(model: Any, rows: int, slots: int, *, captures: bool) -> Iterator[Steps]:
        assert not captures
        support = support_of(model)
        with vetted(state_of(model)):
            prove(model, support, capture)
        yield Steps(model, support, rows, rounded(slots), capture)

    @contextmanager
    def patched() -> Iterator[list[int]]:
        with monkeypatch.context() as patch:
            patch.setattr(graphs, "steps_for", steps_for)
            yield made

    return patched()


def test_finished_rows_leave_and_the_others_go_on(tiny: Loaded) -> None:
    rows = [tiny.tokenizer(one, add_special_tokens=False)["input_ids"] for one in PROMPTS]
    sizes: list[int] = []

    class Watched(Steps):
        def step(self, left: int, *, chooses: bool) -> torch.Tensor:
            sizes.append(self.cache.rows)
            return super().step(left, chooses=chooses)

    steps = Watched(tiny.model, support_of(tiny.model), len(rows), 256, None)
    with torch.no_grad(), vetted(state_of(tiny.model)):
        found = generate(steps, Batch(rows, 40, frozenset({0}), 0))
    wanted = complete(tiny.model, tiny.tokenizer, PROMPTS, engine="plain", max_new_tokens=40)
    assert found == [list(one.ids) for one in wanted]
    assert sizes[0] == len(rows)
    assert len(sizes) <= max(map(len, found))


def test_half_of_the_rows_leave_at_once(tiny: Loaded) -> None:
    options = {"max_new_tokens": 80, "temperature": 1.3, "seed": 11}
    wanted = complete(tiny.model, tiny.tokenizer, PROMPTS * 3, engine="plain", **options)
    alike(complete(tiny.model, tiny.tokenizer, PROMPTS * 3, **options), wanted)


def test_a_prompt_that_comes_twice_is_read_once(tiny: Loaded) -> None:
    rows: list[int] = []
    embedding = tiny.model.get_input_embeddings()
    # Of all modules: one of the model's own would take it to the plain road.
    hook = register_module_forward_pre_hook(
        lambda module, args: rows.append(len(args[0])) if module is embedding else None
    )
    try:
        complete(
            tiny.model, tiny.tokenizer, [PROMPTS[0]], max_new_tokens=3, temperature=1.0, seed=1,
            num_return_sequences=6,
        )  # fmt: skip
    finally:
        hook.remove()
    assert rows[0] == 1
    assert rows[1] == 6


@pytest.mark.parametrize(
    ("rows", "left", "length"),
    [
        ([[7] * 50 + [1], [7] * 50 + [2]], 1, 50),
        ([[7] * 50, [7] * 50 + [2]], 1, 49),
        ([[7] * 50 + [1], [7] * 50 + [2]], 5, 46),
        ([[7] * 20 + [1], [7] * 20 + [2]], 1, 0),
        ([[7] * 50], 1, 0),
        ([[1] + [7] * 50, [2] + [7] * 50], 1, 0),
        ([[7] * 40 + [1], [7] * 40 + [2] * 500], 1, 0),
    ],
    ids=["all but the last", "one is the other's", "five left", "short", "alone", "none", "small"],
)
def test_what_is_read_once_for_all(rows: list[list[int]], left: int, length: int) -> None:
    assert shared_prefix(rows, left) == length


def test_prompts_are_padded_among_their_like() -> None:
    assert groups([60, 60, 59, 5, 5, 4], 50) == [(0, 3), (3, 6)]
    assert groups([60, 60, 59, 5, 5, 4], 5000) == [(0, 6)]
    assert groups([9], 0) == [(0, 1)]


@pytest.mark.parametrize("length", [1, 63, 64, 127, 500, 512, 1100])
def test_a_filled_up_prompt_always_has_padding(length: int) -> None:
    assert length < filled_up(length) <= length + max(64, length // 4 + 1)
    assert rounded(length) >= length


def test_batches_do_not_show_where_they_must_not(tiny_dir: Path) -> None:
    model, tokenizer, _ = CleanModelLoader(tiny_dir, dtype="bfloat16").load()
    for engine in ("auto", "plain"):
        options: dict[str, Any] = {
            "max_new_tokens": 12, "eos_token_id": 701, "engine": engine,
            "batch_invariant": True, "batch_size": 8,
        }  # fmt: skip
        whole = complete(model, tokenizer, PROMPTS, **options)
        assert {one.batch for one in whole} == {8}
        turned = complete(model, tokenizer, PROMPTS[::-1], **options)[::-1]
        assert [one.ids for one in turned] == [one.ids for one in whole]
        for place in (0, 3, 8):
            [alone] = complete(model, tokenizer, [PROMPTS[place]], **options)
            assert alone.ids == whole[place].ids


def test_streams_take_the_road_as_well(tiny: Loaded) -> None:
    stream = CleanModelLoader.stream(tiny.model, tiny.tokenizer, PROMPTS[2], max_new_tokens=20)
    text = "".join(stream)
    assert stream.completion is not None
    assert stream.completion.engine == "loop"
    assert text == CleanModelLoader.generate(
        tiny.model, tiny.tokenizer, PROMPTS[2], max_new_tokens=20, engine="plain"
    )


def test_graphs_without_a_gpu_are_told_once_and_recorded(fresh: Loaded) -> None:
    options: dict[str, Any] = {"max_new_tokens": 3, "engine": "graphs"}
    with pytest.warns(GuardWarning, match="need a CUDA device"):
        found = complete(fresh.model, fresh.tokenizer, PROMPTS[:2], **options)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        complete(fresh.model, fresh.tokenizer, PROMPTS[:2], **options)
    assert {one.engine for one in found} == {"plain"}
    events = [event for event in state_of(fresh.model).events if event.kind == "plain-road"]
    assert [event.detail["asked"] for event in events] == ["graphs"]


@pytest.mark.parametrize("options", [{"num_beams": 2}, {"use_cache": False}])
def test_settings_that_need_the_library(tiny: Loaded, options: dict[str, Any]) -> None:
    found = complete(tiny.model, tiny.tokenizer, PROMPTS[:2], max_new_tokens=4, **options)
    assert {one.engine for one in found} == {"plain"}


def test_scores_that_are_no_numbers_are_an_error_with_their_layer(fresh: Loaded) -> None:
    complete(fresh.model, fresh.tokenizer, PROMPTS, max_new_tokens=3)  # the proof is done
    with torch.no_grad():
        fresh.model.model.layers[1].mlp.up_proj.weight[0, 0] = float("nan")
    with pytest.raises(BrokenModelError, match=r"layers\.1\.mlp\.up_proj"):
        complete(fresh.model, fresh.tokenizer, PROMPTS, max_new_tokens=3)


def test_a_replaced_generate_is_called(fresh: Loaded, monkeypatch: pytest.MonkeyPatch) -> None:
    real, calls = fresh.model.generate, []
    monkeypatch.setattr(
        fresh.model, "generate", lambda **options: calls.append(1) or real(**options)
    )
    [found] = complete(fresh.model, fresh.tokenizer, PROMPTS[:1], max_new_tokens=4)
    assert calls
    assert found.engine == "plain"


@pytest.mark.parametrize("wrong", [{"engine": "fast"}, {"engine": 1}, {"batch_invariant": "yes"}])
def test_engines_that_do_not_exist(tiny: Loaded, wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match=r"engine|batch_invariant"):
        complete(tiny.model, tiny.tokenizer, PROMPTS[:1], max_new_tokens=3, **wrong)


def test_ctrl_c_in_a_step_leaves_the_model_usable(
    fresh: Loaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, steps = Steps.step, []

    def step(self: Steps, left: int, *, chooses: bool) -> torch.Tensor:
        steps.append(1)
        if len(steps) == 3:
            raise KeyboardInterrupt
        return real(self, left, chooses=chooses)

    wanted = complete(fresh.model, fresh.tokenizer, PROMPTS, engine="plain", max_new_tokens=12)
    monkeypatch.setattr(Steps, "step", step)
    with pytest.raises(GenerationInterrupted):
        complete(fresh.model, fresh.tokenizer, PROMPTS, max_new_tokens=12)
    alike(complete(fresh.model, fresh.tokenizer, PROMPTS, max_new_tokens=12), wanted)


def test_nothing_of_an_earlier_batch_stays_not_even_a_nan(fresh: Loaded) -> None:
    model = fresh.model
    rows = [fresh.tokenizer(one, add_special_tokens=False)["input_ids"] for one in PROMPTS]
    steps = Steps(model, support_of(model), len(rows), 128, None)
    with torch.no_grad(), vetted(state_of(fresh.model)):
        first = generate(steps, Batch(rows, 20, frozenset({0}), 0))
        for layer in steps.cache.layers:
            layer.keys.fill_(float("nan"))
            layer.values.fill_(float("nan"))
        assert generate(steps, Batch(rows, 20, frozenset({0}), 0)) == first


def test_full_memory_takes_the_plain_road(fresh: Loaded, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_args: Any, **_more: Any) -> Any:
        raise torch.OutOfMemoryError("full")

    wanted = complete(fresh.model, fresh.tokenizer, PROMPTS, engine="plain", max_new_tokens=6)
    monkeypatch.setattr(graphs, "generate", full)
    found = complete(fresh.model, fresh.tokenizer, PROMPTS, max_new_tokens=6)
    alike(found, wanted)
    assert {one.engine for one in found} == {"plain"}


def test_adapters_and_the_base_each_give_their_own(tiny_dir: Path, tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 2)):
        torch.manual_seed(seed)
        lora = LoraConfig(
            r=4, target_modules=["q_proj", "up_proj"], init_lora_weights=False,
            task_type="CAUSAL_LM",
        )  # fmt: skip
        base = AutoModelForCausalLM.from_pretrained(tiny_dir, dtype=torch.float32)
        get_peft_model(base, lora).save_pretrained(tmp_path / name)
    model, tokenizer, _ = CleanModelLoader(tiny_dir, dtype="float32").load()
    both = CleanModelLoader.attach_adapter(model, tmp_path / "a", name="a")
    both = CleanModelLoader.attach_adapter(both, tmp_path / "b", name="b")
    texts = set()
    for name in ("a", "b", "base"):
        with CleanModelLoader.adapter(both, name):
            wanted = complete(both, tokenizer, PROMPTS, engine="plain", max_new_tokens=12)
            found = complete(both, tokenizer, PROMPTS, max_new_tokens=12)
        alike(found, wanted)
        assert found[0].engine == "loop"
        texts.add(tuple(one.ids for one in found))
    assert len(texts) == 3
    alike(
        complete(model, tokenizer, PROMPTS, max_new_tokens=12),
        complete(model, tokenizer, PROMPTS, engine="plain", max_new_tokens=12),
    )


def test_a_model_goes_with_what_was_kept_for_it(tiny_dir: Path) -> None:
    model, tokenizer, _ = CleanModelLoader(tiny_dir, dtype="float32").load()
    complete(model, tokenizer, PROMPTS, max_new_tokens=4)
    gc.collect()
    before = len(memory._kept)
    assert model in memory._kept
    assert memory._kept[model].steps is None  # a CPU's buffers end with the call
    CleanModelLoader.release(model)
    del model, tokenizer, _
    gc.collect()
    assert len(memory._kept) == before - 1


def test_two_threads_and_two_models(tiny_dir: Path) -> None:
    loads = [CleanModelLoader(tiny_dir, dtype="float32").load() for _ in range(2)]
    wanted = complete(
        loads[0].model, loads[0].tokenizer, PROMPTS, engine="plain", max_new_tokens=10
    )
    found: dict[int, list[Completion]] = {}

    def work(number: int) -> None:
        load = loads[number % 2]
        found[number] = complete(load.model, load.tokenizer, PROMPTS, max_new_tokens=10)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number in range(4):
        alike(found[number], wanted)


def test_a_model_that_gives_other_logits_over_the_buffers_is_refused(fresh: Loaded) -> None:
    support = support_of(fresh.model)
    fresh.model.get_decoder().layers[0].self_attn.register_forward_pre_hook(
        lambda _module, args, kwargs: (
            args, {**kwargs, "hidden_states": kwargs["hidden_states"] * 1.5}
        ) if type(cache_in(kwargs)).__name__ == "FixedCache" else None,
        with_kwargs=True,
    )  # fmt: skip
    with pytest.raises(NoRoad, match="off by"), torch.no_grad(), vetted(state_of(fresh.model)):
        prove(fresh.model, support, None)
    [found] = complete(fresh.model, fresh.tokenizer, PROMPTS[:1], max_new_tokens=3)
    assert found.engine == "plain"


def test_a_hook_keeps_tensors_that_can_be_trained_on(fresh: Loaded) -> None:
    seen: list[torch.Tensor] = []
    fresh.model.model.layers[0].register_forward_hook(
        lambda _module, _args, out: seen.append(out[0] if isinstance(out, tuple) else out)
    )
    [found] = complete(fresh.model, fresh.tokenizer, PROMPTS[:1], max_new_tokens=3)
    assert found.engine == "plain"
    assert seen
    assert not any(one.is_inference() for one in seen)


def test_a_stream_that_takes_the_plain_road_late_tells_nothing_twice(
    fresh: Loaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_args: Any, **_more: Any) -> Any:
        raise torch.OutOfMemoryError("full")

    wanted = CleanModelLoader.generate(fresh.model, fresh.tokenizer, PROMPTS[3], max_new_tokens=9)
    monkeypatch.setattr(steps.Steps, "step", full)
    monkeypatch.setattr(memory, "prove", lambda *_args: None)
    with CleanModelLoader.stream(
        fresh.model, fresh.tokenizer, PROMPTS[3], max_new_tokens=9
    ) as stream:
        assert "".join(stream) == wanted
    assert stream.completion is not None
    assert stream.completion.engine == "plain"


def test_room_that_only_means_to_the_end_has_no_buffers(tiny: Loaded) -> None:
    model, tokenizer, _ = tiny
    (endless,) = complete(model, tokenizer, PROMPTS[:1], max_new_tokens=10**9)
    (usual,) = complete(model, tokenizer, PROMPTS[:1], max_new_tokens=20)
    assert (endless.engine, usual.engine) == ("plain", "loop")
    assert endless.text.startswith(usual.text)


def test_a_config_that_changes_makes_another_model(fresh: Loaded) -> None:
    model, tokenizer, _ = fresh
    complete(model, tokenizer, PROMPTS[:1], max_new_tokens=4)
    model.config.num_hidden_layers = 1
    model.model.layers = model.model.layers[:1]
    found = complete(model, tokenizer, PROMPTS[:1], max_new_tokens=4)
    wanted = complete(model, tokenizer, PROMPTS[:1], max_new_tokens=4, engine="plain")
    assert found[0].ids == wanted[0].ids


@pytest.mark.parametrize("name", ["prepare_inputs_for_generation"])
def test_a_replaced_step_of_generate_is_called(
    fresh: Loaded, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    model, tokenizer, _ = fresh
    plain, calls = getattr(model, name), []

    def counted(*args: Any, **kwargs: Any) -> Any:
        calls.append(name)
        return plain(*args, **kwargs)

    monkeypatch.setattr(model, name, counted)
    (found,) = complete(model, tokenizer, PROMPTS[:1], max_new_tokens=4)
    assert (found.engine, bool(calls)) == ("plain", True)


@pytest.mark.parametrize("name", ["_sample", "prepare_inputs_for_generation"])
def test_a_class_with_a_step_of_its_own_takes_the_plain_road(tiny: Loaded, name: str) -> None:
    kind = type(tiny.model)
    own = type("Own", (kind,), {name: lambda self, *args, **kwargs: getattr(kind, name)(self, *args, **kwargs)})  # fmt: skip
    model = own(tiny.model.config)
    with pytest.raises(NoRoad, match=f"its {name} is its own"):
        support_of(model)


@pytest.mark.parametrize("wrong", [None, "model"])
def test_only_a_guarded_model_is_released(wrong: Any) -> None:
    with pytest.raises(UnguardedModelError, match="was not loaded by CleanModelLoader"):
        CleanModelLoader.release(wrong)


def test_a_callback_that_cannot_be_called_is_told_first(tiny: Loaded) -> None:
    with pytest.raises(SettingsError, match="on_finished=3"):
        complete(tiny.model, tiny.tokenizer, PROMPTS[:1], max_new_tokens=2, on_finished=3)  # type: ignore[arg-type]


@pytest.mark.parametrize("changed", [False, True])
def test_who_looks_into_a_model_sees_what_was_asked_for(tiny_dir: Path, changed: bool) -> None:
    model, tokenizer, _ = CleanModelLoader(str(tiny_dir)).load()
    layer, seen = model.model.layers[0], []
    if changed:
        plain = layer.mlp.forward
        layer.mlp.forward = lambda x: (seen.append(tuple(x.shape[:2])), plain(x))[1]
    else:
        layer.register_forward_hook(lambda module, args, out: seen.append(tuple(args[0].shape[:2])))
    found = complete(model, tokenizer, ["The capital", "Ends"], max_new_tokens=3)
    lengths = {one.prompt_tokens for one in found}
    assert seen[0] == (2, max(lengths))
    assert set(seen[1:]) == {(2, 1)}


def test_modules_of_somebodys_own_see_what_was_asked_for(tiny_dir: Path) -> None:
    class Scaled(torch.nn.Module):
        def __init__(self, inner: Any) -> None:
            super().__init__()
            self.inner, self.seen = inner, []

        def forward(self, ids: torch.Tensor) -> torch.Tensor:
            self.seen.append(tuple(ids.shape))
            found: torch.Tensor = self.inner(ids)
            return found

    model, tokenizer, _ = CleanModelLoader(str(tiny_dir)).load()
    own = Scaled(model.get_input_embeddings())
    model.set_input_embeddings(own)
    found = complete(model, tokenizer, ["The capital"], max_new_tokens=3)
    assert [one.engine for one in found] == ["plain"]
    assert own.seen == [(1, found[0].prompt_tokens), (1, 1), (1, 1)]
