"""The guard stays through compilation, casts, pickling, threads, new embeddings and processes."""

from __future__ import annotations

import io
import pickle
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import torch

from guard import CleanModelLoader, Loaded, provenance_of, unguarded
from guard.errors import ContaminationError, GuardError

DIRTY = torch.tensor([[271, 1, 319, 2]])
CLEAN = torch.tensor([[271, 319, 269]])


def is_guarded(model: Any) -> bool:
    found = 0
    for road in (model, lambda ids: model.generate(ids, max_new_tokens=1)):
        road(CLEAN)
        try:
            road(DIRTY)
        except ContaminationError:
            found += 1
    return found == 2


def test_compiled(fresh: Loaded) -> None:
    before = fresh.model(CLEAN).logits
    compiled = torch.compile(fresh.model, backend="eager")
    assert torch.equal(compiled(CLEAN).logits, before)
    for _ in range(2):
        with pytest.raises(ContaminationError):
            compiled(DIRTY)
    torch._dynamo.reset()


def test_a_decoding_step_compiles_without_a_break(fresh: Loaded) -> None:
    step = torch.compile(fresh.model, backend="eager", fullgraph=True)
    assert step(CLEAN[:, :1], use_cache=False).logits.shape[1] == 1
    # A control token passes inside the graph, and not outside of it.
    assert step(DIRTY[:, 1:2], use_cache=False).logits.shape[1] == 1
    assert provenance_of(fresh.model).events == ()
    with pytest.raises(ContaminationError):
        fresh.model(DIRTY[:, 1:2], use_cache=False)
    torch._dynamo.reset()


def test_static_cache_generation(tiny: Loaded) -> None:
    plain = tiny.model.generate(CLEAN, max_new_tokens=4)
    static = tiny.model.generate(CLEAN, max_new_tokens=4, cache_implementation="static")
    assert torch.equal(plain, static)


def test_cast(fresh: Loaded) -> None:
    assert is_guarded(fresh.model.to(torch.bfloat16))


@pytest.mark.parametrize("how", ["pickle", "torch.save"])
def test_pickled(fresh: Loaded, how: str) -> None:
    if how == "pickle":
        again = pickle.loads(pickle.dumps(fresh.model))
    else:
        file = io.BytesIO()
        torch.save(fresh.model, file)
        file.seek(0)
        again = torch.load(file, weights_only=False)
    assert is_guarded(again)
    assert torch.equal(again(CLEAN).logits, fresh.model(CLEAN).logits)
    assert provenance_of(again).to_dict() == fresh.provenance.to_dict()


def test_pickled_tokenizer(fresh: Loaded) -> None:
    again = pickle.loads(pickle.dumps(fresh.tokenizer))
    with pytest.raises(GuardError, match="CG203"):
        again.apply_chat_template([{"role": "user", "content": "hi"}])


@pytest.mark.parametrize("how", ["resized", "replaced"])
def test_another_embedding_is_watched_and_recorded(fresh: Loaded, how: str) -> None:
    if how == "resized":
        fresh.model.resize_token_embeddings(704, mean_resizing=False)
    else:
        fresh.model.set_input_embeddings(torch.nn.Embedding(704, 128))
    assert is_guarded(fresh.model)
    [event] = provenance_of(fresh.model).events
    assert (event.kind, event.code, event.detail) == ("embedding-replaced", "CG404", {"rows": 704})


def test_threads_do_not_see_each_others_blocks(fresh: Loaded) -> None:
    model, tokenizer = fresh.model, fresh.tokenizer
    wanted = CleanModelLoader.generate(model, tokenizer, "3 plus 4 is", max_new_tokens=6)
    faults: list[str] = []
    start = threading.Barrier(6)

    def lifted() -> None:
        with unguarded(model, reason="test"):
            model(DIRTY)

    def refused() -> None:
        try:
            model(DIRTY)
        except ContaminationError:
            return
        faults.append("a dirty prompt passed")

    def generated() -> None:
        found = CleanModelLoader.generate(model, tokenizer, "3 plus 4 is", max_new_tokens=6)
        if found != wanted:
            faults.append(found)

    def work(task: Any) -> None:
        start.wait()
        try:
            for _ in range(15):
                task()
        except Exception as error:  # noqa: BLE001 - a thread must not swallow it
            faults.append(repr(error))

    threads = [threading.Thread(target=work, args=(t,)) for t in (lifted, refused, generated) * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []


@pytest.mark.slow
def test_another_process_has_the_guard(fresh: Loaded, tmp_path: Path) -> None:
    (tmp_path / "model.pickle").write_bytes(pickle.dumps(fresh.model))
    code = (
        "import pickle, sys, torch\n"
        "from guard.errors import ContaminationError\n"
        "model = pickle.load(open(sys.argv[1], 'rb'))\n"
        "try: model(torch.tensor([[271, 1]]))\n"
        "except ContaminationError: print('refused')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "model.pickle")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout.strip() == "refused", done.stderr[-2000:]
