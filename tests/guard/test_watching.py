"""A watched model is the model that transformers gives, and what a guarded one would refuse is told."""

from __future__ import annotations

import copy
import json
import pickle
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    AutoTokenizer,
    GenerationConfig,
    T5Config,
    pipeline,
)

from guard import CleanModelLoader, Loaded
from guard.errors import GuardWarning, UnguardedModelError
from tests.guard.families import FIXED, lay

DIRTY = torch.tensor([[271, 1, 319, 2]])
CLEAN = torch.tensor([[271, 319, 269]])
load_watched, generate_watched = CleanModelLoader.load_watched, CleanModelLoader.generate_watched


def codes(model: Any) -> list[str | None]:
    return [one.code for one in CleanModelLoader.told(model)]


@pytest.fixture
def watched(tiny_dir: Path) -> Any:
    return load_watched(tiny_dir, dtype=torch.float32)


@pytest.fixture
def begun(llama_like: Callable[[bool], Path]) -> Any:
    """Of a family that begins with BOS."""
    return load_watched(llama_like(True), dtype=torch.float32)


@pytest.mark.parametrize("family", FIXED)
def test_it_computes_and_saves_what_the_raw_model_does(family: str, tmp_path: Path) -> None:
    folder = lay(family, tmp_path / "model")
    raw = AutoModelForCausalLM.from_pretrained(folder)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", GuardWarning)
        model = load_watched(folder)
    assert (type(model), model.training, model.dtype) == (type(raw), False, raw.dtype)
    assert vars(model).keys() == vars(raw).keys()
    assert model.generation_config.to_dict() == raw.generation_config.to_dict()
    assert model.config.to_dict() == raw.config.to_dict()
    assert torch.equal(model(CLEAN).logits, raw(CLEAN).logits)
    given: dict[str, Any] = {"max_new_tokens": 6, "do_sample": False}
    texts = raw.generate(CLEAN, **given)
    assert torch.equal(model.generate(CLEAN, **given), texts)
    assert torch.equal(generate_watched(model, CLEAN, **given), texts)
    torch.manual_seed(3)
    drawn = raw.generate(CLEAN, max_new_tokens=6, do_sample=True)
    torch.manual_seed(3)
    assert torch.equal(generate_watched(model, CLEAN, max_new_tokens=6, do_sample=True), drawn)
    for name, one in (("raw", raw), ("watched", model)):
        one.save_pretrained(tmp_path / name)
    saved = [
        {file.name: file.read_bytes() for file in (tmp_path / name).iterdir()}
        for name in ("raw", "watched")
    ]
    assert saved[0] == saved[1]


def test_what_would_be_refused_is_told_once_and_goes_on(watched: Any, raw: tuple[Any, Any]) -> None:
    with pytest.warns(GuardWarning, match="CG204 .*im_start") as caught:
        found = watched(DIRTY).logits
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert torch.equal(found, raw[0](DIRTY).logits)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        watched(DIRTY)
        watched.generate(DIRTY, max_new_tokens=2, do_sample=False)
    assert codes(watched) == ["CG204"]


def test_a_clean_prompt_says_nothing(watched: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", GuardWarning)
        watched(CLEAN)
        watched.generate(CLEAN, max_new_tokens=2, do_sample=False)
        generate_watched(watched, CLEAN, max_new_tokens=2, do_sample=False)
    assert codes(watched) == []


@pytest.mark.parametrize(
    ("ids", "mask", "expected"),
    [
        ([[271, 319, 269]], None, ["CG201"]),
        ([[1, 1, 319, 269]], None, ["CG202"]),
        ([[1, 319, 269]], None, []),
        ([[1, 319, 0], [1, 319, 269]], [[1, 1, 0], [1, 1, 1]], ["CG302"]),
        ([[0, 1, 319], [1, 319, 269]], [[0, 1, 1], [1, 1, 1]], []),
        ([[1, 319, 269], [319, 269, 271]], None, ["CG201"]),
    ],
)
def test_prompts_of_a_generation(
    begun: Any, ids: list[list[int]], mask: list[list[int]] | None, expected: list[str]
) -> None:
    given = {} if mask is None else {"attention_mask": torch.tensor(mask)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", GuardWarning)
        generate_watched(begun, torch.tensor(ids), max_new_tokens=2, do_sample=False, **given)
    assert codes(begun) == expected


def test_each_way_in_which_padding_is_wrong_is_told(watched: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", GuardWarning)
        ids = torch.tensor([[271, 319, 0], [271, 319, 269]])
        for _ in range(2):
            generate_watched(watched, ids, attention_mask=(ids != 0).long(), max_new_tokens=2)
            watched(torch.tensor([[0, 271, 319], [271, 319, 269]]))
            watched(torch.tensor([[271, 319, 269], [0, 271, 319]]))
    messages = [one.message for one in CleanModelLoader.told(watched)]
    assert [message.partition(" is ")[2][:10] for message in messages] == [
        "padded on ",
        "padded and",
    ]


def test_training_may_begin_in_the_middle_of_a_text(begun: Any) -> None:
    begun.train()
    begun(CLEAN, labels=CLEAN).loss.backward()
    assert codes(begun) == []


def test_settings_that_the_files_bring_are_told(edited: Callable[..., Path]) -> None:
    folder = edited(generation_config={"do_sample": True, "temperature": 0.6, "top_p": 0.9})
    model = load_watched(folder, dtype=torch.float32)
    with pytest.warns(GuardWarning, match=r"CG303 .*do_sample=True, temperature=0\.6:"):
        generate_watched(model, CLEAN, max_new_tokens=2, top_p=0.8)
    raw = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    torch.manual_seed(5)
    expected = raw.generate(CLEAN, max_new_tokens=5)
    torch.manual_seed(5)
    assert torch.equal(generate_watched(model, CLEAN, max_new_tokens=5), expected)


def test_settings_that_a_config_says_are_not_told(edited: Callable[..., Path]) -> None:
    model = load_watched(edited(generation_config={"temperature": 0.6, "do_sample": True}))
    said = GenerationConfig(do_sample=True, temperature=0.7, max_new_tokens=2)
    generate_watched(model, CLEAN, said)
    generate_watched(model, CLEAN, generation_config=said)
    assert codes(model) == []


def test_a_model_of_elsewhere_is_told_once(raw: tuple[Any, Any]) -> None:
    model = copy.deepcopy(raw[0])
    with pytest.warns(GuardWarning, match="CG301 .*not loaded through CleanModelLoader"):
        found = generate_watched(model, DIRTY, max_new_tokens=2, do_sample=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        generate_watched(model, DIRTY, max_new_tokens=2, do_sample=False)
    assert torch.equal(found, raw[0].generate(DIRTY, max_new_tokens=2, do_sample=False))
    with pytest.raises(UnguardedModelError, match="not watched"):
        CleanModelLoader.told(model)


class _Memory(torch.nn.Module):  # type: ignore[misc]
    def __init__(self, model: Any) -> None:
        super().__init__()
        self.cell = torch.nn.ModuleDict({"lm": model})

    def generate(self, *args: Any, **options: Any) -> Any:
        return self.cell["lm"].generate(*args, **options)


class _Client:
    def __init__(self, model: Any) -> None:
        self.lm = model

    def generate(self, *args: Any, **options: Any) -> Any:
        return self.lm.generate(*args, **options)


class _Decoder:
    def __init__(self, model: Any) -> None:
        self.base = _Client(model)

    def generate(self, *args: Any, **options: Any) -> Any:
        return self.base.generate(*args, **options)


@pytest.mark.parametrize("wrapper", [_Memory, _Client, _Decoder])
def test_what_holds_a_watched_model_is_no_stranger(
    edited: Callable[..., Path], wrapper: Callable[[Any], Any]
) -> None:
    model = load_watched(edited())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        generate_watched(wrapper(model), CLEAN, max_new_tokens=2, do_sample=False)
    with pytest.warns(GuardWarning, match="CG204"):
        generate_watched(wrapper(model), DIRTY, max_new_tokens=2, do_sample=False)


class _Counting:
    __slots__ = ("asked", "lm", "unset")

    def __init__(self, model: Any) -> None:
        self.lm = model
        self.asked: list[str] = []

    def __getattr__(self, name: str) -> Any:
        self.asked.append(name)
        return getattr(self.lm, name)


def test_what_holds_a_watched_model_is_asked_for_nothing_but_generate(
    edited: Callable[..., Path],
) -> None:
    counting = _Counting(load_watched(edited()))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        generate_watched(counting, CLEAN, max_new_tokens=2, do_sample=False)
    assert counting.asked == ["generate"]


def test_a_guarded_model_stays_guarded(tiny: Loaded) -> None:
    with pytest.raises(Exception, match="im_start"):
        generate_watched(tiny.model, DIRTY, max_new_tokens=2)


def test_an_encoder_decoder_is_told_of_nothing() -> None:
    model = AutoModelForSeq2SeqLM.from_config(
        T5Config(
            vocab_size=64,
            d_model=16,
            d_kv=8,
            d_ff=16,
            num_layers=1,
            num_heads=2,
            decoder_start_token_id=0,
        )
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error", GuardWarning)
        generate_watched(model, torch.tensor([[5, 6]]), max_new_tokens=2)


def test_anything_that_generates_is_called_as_it_is() -> None:
    class Engine:
        def generate(self, *args: Any, **keywords: Any) -> Any:
            return args, keywords

    with pytest.warns(GuardWarning, match="Engine"):
        assert generate_watched(Engine(), ["a"], model=3) == ((["a"],), {"model": 3})


def test_what_the_model_emits_is_no_prompt(watched: Any) -> None:
    def emit(_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        scores[:, 1] = 1e9
        return scores

    for cached in (True, False):
        generate_watched(
            watched, CLEAN, max_new_tokens=4, use_cache=cached, logits_processor=[emit]
        )
    assert codes(watched) == []


@pytest.mark.parametrize("guarded", [True, False])
def test_what_the_model_emits_is_no_prompt_of_the_one_that_helps(
    watched: Any, tiny: Loaded, edited: Callable[..., Path], guarded: bool
) -> None:
    def emit(_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        scores[:, 1] = 1e9
        return scores

    helper = tiny.model if guarded else load_watched(edited())
    found = generate_watched(
        watched, CLEAN, max_new_tokens=40, assistant_model=helper, logits_processor=[emit]
    )
    assert found[0, CLEAN.shape[1] :].tolist() == [1] * 40
    assert codes(watched) == []
    if not guarded:
        assert codes(helper) == []


def test_an_adapters_wrapper_is_watched_through(watched: Any, tiny_dir: Path) -> None:
    wrapped = get_peft_model(watched, LoraConfig(target_modules=["q_proj"], task_type="CAUSAL_LM"))
    raw = AutoModelForCausalLM.from_pretrained(tiny_dir, dtype=torch.float32)
    with pytest.warns(GuardWarning, match="CG204"):
        found = generate_watched(wrapped, input_ids=DIRTY, max_new_tokens=3, do_sample=False)
    assert torch.equal(found, raw.generate(input_ids=DIRTY, max_new_tokens=3, do_sample=False))
    assert codes(wrapped) == ["CG204"]
    assert codes(torch.nn.DataParallel(wrapped)) == ["CG204"]


def test_a_copy_and_a_pickle_are_the_plain_model(watched: Any) -> None:
    for other in (copy.deepcopy(watched), pickle.loads(pickle.dumps(watched))):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert other(DIRTY).logits.shape == (1, 4, 702)
        with pytest.raises(UnguardedModelError):
            CleanModelLoader.told(other)


def test_a_compiled_graph_is_not_broken(watched: Any, raw: tuple[Any, Any]) -> None:
    compiled = torch.compile(watched, backend="eager", fullgraph=True)
    assert torch.equal(compiled(DIRTY).logits, raw[0](DIRTY).logits)
    assert codes(watched) == []


def test_a_chat_model_is_told_and_loaded(edited: Callable[..., Path]) -> None:
    folder = edited(tokenizer_config={"eos_token": "<|im_end|>"})
    with pytest.warns(GuardWarning, match="CG108 .*<|im_end|>"):
        assert codes(load_watched(folder)) == ["CG108"]


def test_an_adapter_that_comes_along_is_told(
    raw: tuple[Any, Any], tiny_dir: Path, tmp_path: Path
) -> None:
    wrapped = get_peft_model(copy.deepcopy(raw[0]), LoraConfig(target_modules=["q_proj"]))
    wrapped.save_pretrained(tmp_path)
    config = json.loads((tmp_path / "adapter_config.json").read_text())
    config["base_model_name_or_path"] = str(tiny_dir)
    (tmp_path / "adapter_config.json").write_text(json.dumps(config))
    raw[1].save_pretrained(tmp_path)
    with pytest.warns(GuardWarning, match="CG109"):
        assert "CG109" in codes(load_watched(tmp_path))


def test_other_classes_and_arguments_go_where_they_went(tiny_dir: Path, tmp_path: Path) -> None:
    model, report = load_watched(tiny_dir, output_loading_info=True)
    assert (codes(model), "missing_keys" in report) == ([], True)
    kind = type(model)
    assert type(load_watched(pretrained_model_name_or_path=tiny_dir, model_class=kind)) is kind
    with pytest.raises(TypeError, match="nonsense"):
        load_watched(tiny_dir, nonsense=3)
    with pytest.raises(OSError, match="nowhere"):
        load_watched(tmp_path / "nowhere")
    small = T5Config(d_model=8, d_kv=4, d_ff=8, num_layers=1, num_heads=2, vocab_size=32)
    AutoModelForSeq2SeqLM.from_config(small).save_pretrained(tmp_path / "t5")
    other = load_watched(tmp_path / "t5", model_class=AutoModelForSeq2SeqLM)
    with pytest.raises(UnguardedModelError):
        CleanModelLoader.told(other)


def test_a_folder_without_a_tokenizer_is_told(raw: tuple[Any, Any], tmp_path: Path) -> None:
    raw[0].save_pretrained(tmp_path)
    with pytest.warns(GuardWarning, match="not watched: its tokenizer cannot be read there"):
        model = load_watched(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("error", GuardWarning)
        found = generate_watched(model, CLEAN, max_new_tokens=3, do_sample=False)
    assert torch.equal(found, raw[0].generate(CLEAN, max_new_tokens=3, do_sample=False))


def test_the_tokenizer_of_the_script_is_left_alone(tiny_dir: Path) -> None:

    tokenizer = AutoTokenizer.from_pretrained(tiny_dir)
    before = (tokenizer.pad_token, tokenizer.padding_side, tokenizer.chat_template)
    load_watched(tiny_dir)
    assert before == (tokenizer.pad_token, tokenizer.padding_side, tokenizer.chat_template)


def test_guarded_calls_ask_for_a_guarded_model(watched: Any, raw: tuple[Any, Any]) -> None:
    with pytest.raises(UnguardedModelError):
        CleanModelLoader.generate(watched, raw[1], "Hi", max_new_tokens=2)


def test_warnings_that_are_errors_stop_nothing(
    watched: Any, raw: tuple[Any, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = generate_watched(watched, DIRTY, max_new_tokens=3, do_sample=False)
    assert torch.equal(found, raw[0].generate(DIRTY, max_new_tokens=3, do_sample=False))
    assert codes(watched) == ["CG204"]
    assert "GuardWarning: CG204" in capsys.readouterr().err


def test_what_an_alarm_raises_comes_through(watched: Any) -> None:
    class LateError(Exception):
        pass

    made = {"LateError": LateError}
    source = "def ring(*_):\n    raise LateError\n"
    exec(source, made | {"__name__": "__main__"}, made)

    class Ids(torch.Tensor):
        """Ids that a handler's exception strikes while they are looked at."""

    ids = CLEAN.as_subclass(Ids)
    Ids.reshape = made["ring"]  # type: ignore[method-assign]
    Ids.clamp = made["ring"]  # type: ignore[method-assign]
    with pytest.raises(LateError):
        generate_watched(watched, ids, max_new_tokens=2)


@pytest.mark.filterwarnings("ignore::guard.errors.GuardWarning")
def test_nothing_is_asked_of_what_is_no_model() -> None:
    class Wrapper:
        def __init__(self) -> None:
            self.asked: list[str] = []

        def __getattr__(self, name: str) -> Any:
            if name != "generate":
                raise KeyError(name)
            return lambda *args, **keywords: (args, keywords)

        def __eq__(self, other: object) -> bool:
            raise RuntimeError

        __hash__ = None  # type: ignore[assignment]

    assert generate_watched(Wrapper(), 1, a=2) == ((1,), {"a": 2})


def test_hooks_have_a_number_of_their_own_and_may_be_copied(tiny_dir: Path) -> None:
    """`datasets` makes a cache's name of all that a function reaches, and tools copy hooks without their keywords."""
    numbers = [
        [*load_watched(tiny_dir).get_decoder()._forward_pre_hooks] for _ in range(2)
    ]  # fmt: skip
    assert numbers[0] == numbers[1]
    model = load_watched(tiny_dir)
    other = torch.nn.Embedding(702, 128)
    for hook in model.get_input_embeddings()._forward_pre_hooks.values():
        other.register_forward_pre_hook(hook)
    assert other(CLEAN).shape == (1, 3, 128)


def test_a_pickle_is_read_where_no_cleanguard_is(watched: Any, tmp_path: Path) -> None:
    torch.save(watched, tmp_path / "model.pt")
    read = (
        "import sys; sys.modules['guard'] = sys.modules['cleanguard'] = None\n"
        f"import torch; model = torch.load({str(tmp_path / 'model.pt')!r}, weights_only=False)\n"
        "print(model(torch.tensor([[271, 319, 269]])).logits.shape)\n"
    )
    done = subprocess.run([sys.executable, "-c", read], capture_output=True, text=True, check=False)
    assert done.stdout == "torch.Size([1, 3, 702])\n", done.stderr


def test_a_pipeline_is_the_plain_one_and_what_goes_into_it_is_told(
    edited: Callable[..., Path],
) -> None:
    folder = edited(generation_config={"top_p": 0.9})
    raw = pipeline("text-generation", model=str(folder))
    with pytest.warns(
        GuardWarning, match=r"CG303 .*do_sample=True, temperature=0\.7, top_p=0\.9 for"
    ):
        built = CleanModelLoader.pipeline_watched("text-generation", model=str(folder))
    assert type(built) is type(raw)
    for given in ({"do_sample": False, "max_new_tokens": 4}, {"max_new_tokens": 4}):
        torch.manual_seed(2)
        expected = raw("Ends with", **given)
        torch.manual_seed(2)
        assert built("Ends with", **given) == expected
    assert codes(built.model) == ["CG303"]
    built("a<|im_start|>user", max_new_tokens=2, do_sample=False)
    assert codes(built.model) == ["CG303", "CG204"]


def test_a_pipeline_around_a_model_that_is_there(
    watched: Any, tiny: Loaded, raw: tuple[Any, Any]
) -> None:
    said = {"do_sample": False, "tokenizer": raw[1], "device": "cpu"}  # the models are others' too
    CleanModelLoader.pipeline_watched("text-generation", watched, **said)
    assert codes(watched) == []
    stranger = copy.deepcopy(raw[0])
    with pytest.warns(GuardWarning, match="CG301 .*not loaded through CleanModelLoader"):
        CleanModelLoader.pipeline_watched("text-generation", model=stranger, **said)
    assert (
        CleanModelLoader.pipeline_watched("text-generation", tiny.model, **said).model is tiny.model
    )
    with pytest.raises(KeyError, match="no-such-task"):
        CleanModelLoader.pipeline_watched("no-such-task", model=stranger)


def test_a_value_head_is_watched_through(tiny_dir: Path) -> None:
    class Head(torch.nn.Module):
        """As TRL puts one around a model."""

        def __init__(self, model: Any) -> None:
            super().__init__()
            self.pretrained_model = model

        @classmethod
        def from_pretrained(cls, name: Any) -> Any:
            return cls(AutoModelForCausalLM.from_pretrained(name))

    model = load_watched(tiny_dir, model_class=Head)
    model.pretrained_model(torch.tensor([[271, 1, 319, 2]]))
    assert codes(model) == ["CG204"]


def test_what_is_no_model_of_torch_is_told(tiny_dir: Path) -> None:
    class Other:
        @classmethod
        def from_pretrained(cls, name: Any) -> Any:
            return cls()

    with pytest.warns(GuardWarning, match="not watched: it is no model of torch"):
        load_watched(tiny_dir, model_class=Other)


@pytest.mark.parametrize("kind", [AutoTokenizer, AutoConfig])
def test_a_class_in_a_variable_may_load_what_is_no_model(tiny_dir: Path, kind: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", GuardWarning)
        found = load_watched(tiny_dir, model_class=kind)
    assert found.__class__.__name__ == kind.from_pretrained(tiny_dir).__class__.__name__


def test_settings_of_the_script_and_those_without_effect_are_not_told(
    edited: Callable[..., Path],
) -> None:
    folder = edited(generation_config={"temperature": 0.6, "do_sample": True})
    model = load_watched(folder)
    generate_watched(model, CLEAN, do_sample=False, max_new_tokens=2)
    assert codes(model) == []
    model.generation_config.update(temperature=0.5, repetition_penalty=1.5)
    generate_watched(model, CLEAN, max_new_tokens=2)
    (told,) = CleanModelLoader.told(model)
    assert "do_sample=True" in told.message
    assert "temperature" not in told.message
    assert "repetition" not in told.message


def test_a_model_that_cannot_be_watched_is_told_once(
    edited: Callable[..., Path], raw: tuple[Any, Any]
) -> None:
    class Odd(type(raw[0])):  # type: ignore[misc]
        def get_decoder(self) -> Any:
            raise AttributeError("none")

    with pytest.warns(GuardWarning, match="shows no parts"):
        model = load_watched(edited(), model_class=Odd)
    with warnings.catch_warnings():
        warnings.simplefilter("error", GuardWarning)
        generate_watched(model, CLEAN, max_new_tokens=1)
