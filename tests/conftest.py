"""What every test can rely on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

# Before torch is imported: results of tiny models depend on the number of threads, and more are slower.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(autouse=True, scope="session")
def _subprocesses_find_the_packages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """So that a test may leave the repository's folder and still start `python -c`.

    What a check remembers stays among the tests.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT), prepend=os.pathsep)
        patch.setenv("CLEANGUARD_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(autouse=True, scope="session")
def _idle_workers_leave_their_coverage() -> Iterator[None]:
    """The pool kills its idle workers, which is fast; under coverage they are asked to end."""
    if "COVERAGE_PROCESS_CONFIG" not in os.environ:
        yield
        return
    from lint_rules._engine.pool import Pool, _Worker

    end = Pool._end

    def gently(pool: Pool, worker: _Worker) -> None:
        if worker.job is None:
            worker.process.terminate()
            worker.process.join(5)
        end(pool, worker)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Pool, "_end", gently)
        yield
