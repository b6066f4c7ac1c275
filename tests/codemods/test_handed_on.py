"""A model's `generate` that is handed to what calls it is watched there."""

from __future__ import annotations

import pytest

from codemods.plan.options import WATCHING
from tests.codemods.conftest import Check, Migrate

HEAD = """\
from functools import partial
from threading import Thread
from transformers import AutoModelForCausalLM, TextIteratorStreamer

m = AutoModelForCausalLM.from_pretrained(NAME, rope_theta=3)
"""
AFTER = """\
from functools import partial
from threading import Thread
from guard import CleanModelLoader
from transformers import TextIteratorStreamer

m = CleanModelLoader.load_watched(NAME, rope_theta=3)
"""


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            "Thread(target=m.generate, kwargs=said).start()",
            "Thread(target=CleanModelLoader.generate_watched, args=(m,), kwargs=said).start()",
        ),
        (
            "Thread(target=m.generate, args=(ids, ), kwargs=said).start()",
            "Thread(target=CleanModelLoader.generate_watched, args=(m, ids, ), kwargs=said).start()",
        ),
        (
            "Thread(target=m.generate, args=given()).start()",
            "Thread(target=CleanModelLoader.generate_watched, args=(m, *given())).start()",
        ),
        (
            "gen = partial(m.generate, top_p=1)\ngen(**ids)\ngen(ids)",
            "gen = partial(CleanModelLoader.generate_watched, m, top_p=1)\ngen(**ids)\ngen(ids)",
        ),
        (
            "gen = partial(\n    m.generate,  # here\n    top_p=1,\n)\ngen(ids)",
            "gen = partial(\n    CleanModelLoader.generate_watched,\n    m,  # here\n    top_p=1,\n)\ngen(ids)",
        ),
        (
            "pool.submit(m.generate, ids, top_p=1)",
            "pool.submit(CleanModelLoader.generate_watched, m, ids, top_p=1)",
        ),
        (
            "loop.run_in_executor(None, m.generate, ids)",
            "loop.run_in_executor(None, CleanModelLoader.generate_watched, m, ids)",
        ),
    ],
)
def test_handed_on(check_transformed: Check, before: str, after: str) -> None:
    plan = check_transformed(f"{HEAD}{before}\n", f"{AFTER}{after}\n", wishes=WATCHING)
    assert not plan.left


@pytest.mark.parametrize(
    "line",
    [
        "Thread(None, m.generate, None, (ids,)).start()",
        "Thread(target=m.generate, args=(*rows, ids) if rows else (), **more).start()",
        "Thread(target=m.generate, args=()).start()",
        "Thread(target=(m.generate)).start()",
        "partial(*these, m.generate)",
        "Process(target=m.generate, args=(ids,)).start()",
    ],
)
def test_what_is_told_otherwise_stays(migrate: Migrate, line: str) -> None:
    plan = migrate(f"{HEAD}{line}\n", wishes=WATCHING)
    assert f"\n{line}\n" in plan.after.decode()


@pytest.mark.parametrize(
    ("line", "watched"),
    [
        ("partial(box.model.generate, logits_processor=those)(ids)", True),
        ("Thread(target=box.model.generate, kwargs={'streamer': s, 'top_p': 1}).start()", True),
        ("Thread(target=box.model.generate, kwargs=dict(max_tokens=3)).start()", False),
        ("partial(box.report.generate, title=1)()", False),
    ],
)
def test_models_from_elsewhere(migrate: Migrate, line: str, *, watched: bool) -> None:
    plan = migrate(f"{HEAD.replace('Streamer', '')}{line}\n", wishes=WATCHING)
    assert ("CleanModelLoader.generate_watched" in plan.after.decode()) is watched
    assert [site.code for site in plan.done if site.watched] == ["CG101"] + ["CG301"] * watched


def test_silenced(migrate: Migrate) -> None:
    line = "Thread(target=m.generate, kwargs=said).start()  # cleanguard: ignore[CG301] shown"
    assert line in migrate(f"{HEAD}{line}\n", wishes=WATCHING).after.decode()
