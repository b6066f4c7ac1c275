"""What a script does under a watch is what it does without: functions, errors, memory, its own hooks."""

from __future__ import annotations

import builtins
import gc
import importlib.util
import inspect
import io
import pickle
import subprocess
import sys
import warnings
import weakref
from collections.abc import Callable, Iterator
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaForCausalLM, PreTrainedModel

import guard

TEXT = "The capital of France is"


@pytest.fixture
def pair(tiny_dir: Path) -> tuple[Any, Any]:
    model = AutoModelForCausalLM.from_pretrained(tiny_dir, dtype=torch.float32)
    return model, AutoTokenizer.from_pretrained(tiny_dir)


@pytest.fixture
def uncollected() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


class Reader:
    """A builtin in a class body is no method."""

    opener = open

    def read(self, path: Path) -> str:
        with self.opener(path) as stream:
            return str(stream.read())


def test_open_is_the_interpreters_own(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a")
    plain = builtins.open
    with guard.observe():

        class Inside(Reader):
            opener = open

        assert Inside().read(tmp_path / "a.txt") == Reader().read(tmp_path / "a.txt") == "a"
        assert builtins.open is io.open is plain
        assert inspect.isbuiltin(open)
        assert pickle.loads(pickle.dumps(open)) is plain


def test_a_file_that_is_opened_to_be_written_is_seen_and_no_other(tmp_path: Path) -> None:
    there = tmp_path / "there.txt"
    there.write_text("a")
    with guard.observe() as seen:
        for mode in ("r", "r+"):
            there.open(mode).close()
        with pytest.raises(FileExistsError):
            there.open("x")
        with pytest.raises(FileNotFoundError):
            (tmp_path / "nowhere" / "a.txt").open("w")
        with pytest.raises(IsADirectoryError):
            tmp_path.open("w")
        assert seen.writes == ()
        for mode in ("w", "a", "wb", "w+"):
            there.open(mode).close()
        (tmp_path / "made.txt").open("x").close()
    there.open("w").close()

    assert [Path(event.file).name for event in seen.writes] == [*["there.txt"] * 4, "made.txt"]
    assert {event.site.filename for event in seen.writes} == {__file__}


def test_a_warning_of_an_encoding_names_the_scripts_own_line(tmp_path: Path) -> None:
    script = tmp_path / "own.py"
    script.write_text(
        f"import guard\nwith guard.observe():\n    open({str(tmp_path / 'a.txt')!r}, 'w').close()\n"
    )
    done = subprocess.run(
        [sys.executable, "-X", "warn_default_encoding", str(script)], capture_output=True, text=True
    )
    told = [line for line in done.stderr.splitlines() if "a.txt" in line or "own.py" in line]
    assert any(f"{script}:3: EncodingWarning" in line for line in told), done.stderr
    assert "effects.py" not in done.stderr


def test_what_is_wrapped_is_pickled_by_its_name() -> None:
    alike = torch.manual_seed is torch.random.manual_seed
    with guard.observe():
        assert (torch.manual_seed is torch.random.manual_seed) == alike
        pickled = pickle.dumps(PreTrainedModel.__call__)
        assert pickle.loads(pickled) is PreTrainedModel.__call__
        assert pickle.loads(pickle.dumps(torch.seed)) is torch.seed
    assert pickle.loads(pickled) is torch.nn.Module.__call__


class Log(torch.nn.Module):
    """A mixin with a call of its own."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        vars(self)["calls"] = vars(self).get("calls", 0) + 1
        return super().__call__(*args, **kwargs)


class Mixed(LlamaForCausalLM, Log):
    """The mixin stands behind the library's classes."""


def test_a_call_goes_to_what_stands_behind(
    llama_like: Callable[[bool], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    model: Any = Mixed.from_pretrained(llama_like(True))
    plain, through = torch.nn.Module.__call__, []

    def patched(self: Any, *args: Any, **kwargs: Any) -> Any:
        through.append(type(self).__name__)
        return plain(self, *args, **kwargs)

    with guard.observe() as seen:
        model(torch.tensor([[5, 6]]))
        with monkeypatch.context() as patch:
            patch.setattr(torch.nn.Module, "__call__", patched)
            model(torch.tensor([[5, 6]]))

    assert model.calls == 2
    assert through.count("Mixed") == 1
    assert len(seen.prefills) == 2


def test_a_trace_of_a_graph_warns_as_ever(pair: tuple[Any, Any]) -> None:
    model, ids = pair[0].requires_grad_(False), torch.tensor([[5, 6, 7]])

    def traced() -> list[str]:
        with warnings.catch_warnings(record=True) as told, torch.no_grad():
            warnings.simplefilter("always")
            torch.jit.trace(
                lambda given: model(given, use_cache=False).logits, ids, check_trace=False
            )
        return sorted(str(one.message) for one in told)

    plain = traced()
    with guard.observe() as seen:
        assert traced() == plain
    assert "captured" in seen.blind[0].what


def test_a_loader_that_waits_is_the_librarys_to_who_asks_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    name = "transformers.models.auto.tokenization_auto"
    plain = importlib.util.find_spec(name)
    assert plain is not None
    assert isinstance(plain.loader, SourceFileLoader)
    monkeypatch.delitem(sys.modules, name)
    with guard.observe():
        spec = importlib.util.find_spec(name)
        assert spec is not None
        assert isinstance(spec.loader, SourceFileLoader)
        assert spec.loader.get_filename(name) == plain.loader.get_filename(name)
        assert spec.loader.get_source(name) == plain.loader.get_source(name)
        assert not hasattr(spec.loader, "no_such_thing")


class Held:
    """Something large."""


def raising(_: Any, held: list[weakref.ref[Any]]) -> Any:
    large = Held()
    held.append(weakref.ref(large))
    raise ValueError("full")


@pytest.mark.parametrize("road", ["generate", "call", "tokenizer", "load", "save"])
@pytest.mark.usefixtures("uncollected")
def test_an_exception_that_is_caught_is_gone(
    pair: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, road: str
) -> None:
    """A cycle of a frame, its exception and the traceback would keep every tensor of the call."""
    model, tokenizer = pair
    batch = tokenizer(TEXT, return_tensors="pt")
    held: list[weakref.ref[Any]] = []

    def processor(ids: Any, _scores: Any) -> Any:
        return raising(ids, held)

    def work() -> None:
        if road == "generate":
            model.generate(**batch, max_new_tokens=2, logits_processor=[processor])
        elif road == "call":
            model.register_forward_pre_hook(lambda *_: raising(None, held))
            model(**batch)
        elif road == "tokenizer":
            monkeypatch.setattr(
                type(tokenizer), "_encode_plus", lambda *_, **__: raising(None, held)
            )
            tokenizer(TEXT)
        elif road == "load":
            monkeypatch.setattr(
                "transformers.AutoConfig.from_pretrained", lambda *_, **__: raising(None, held)
            )
            AutoModelForCausalLM.from_pretrained("none")
        else:
            monkeypatch.setattr(type(model), "state_dict", lambda *_, **__: raising(None, held))
            model.save_pretrained(tmp_path)

    with guard.observe():
        with pytest.raises(ValueError, match="full"):
            work()
        assert held
        assert held[0]() is None


def test_what_a_script_puts_on_top_stays_and_the_rest_is_taken_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plain = vars(PreTrainedModel)["save_pretrained"]
    with guard.observe():
        mine = lambda *_, **__: None  # noqa: E731 - a function where a class method was
        monkeypatch.setattr(PreTrainedModel, "from_pretrained", mine)
    assert vars(PreTrainedModel)["from_pretrained"] is mine
    assert vars(PreTrainedModel)["save_pretrained"] is plain


def test_numbers_ask_nothing_of_a_class(tiny_dir: Path) -> None:
    tokenizer: Any = AutoTokenizer.from_pretrained(tiny_dir)

    class Own(type(tokenizer)):  # type: ignore[misc]
        __hash__ = None

        def __eq__(self, other: object) -> bool:
            raise RuntimeError("not to be compared")

    own, other = Own.from_pretrained(tiny_dir), Own.from_pretrained(tiny_dir)
    with guard.observe() as seen:
        for one in (own, other, own):
            one(TEXT)

    first, second, third = (event.tokenizer for event in seen.encodings)
    assert first == third != second
    assert not seen.blind
