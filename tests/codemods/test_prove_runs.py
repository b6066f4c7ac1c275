"""`--prove` of scripts that end, or go on, in ways of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from codemods.proof.prove import Proof, compare_runs

pytest.importorskip("torch")
pytestmark = pytest.mark.slow
ASK = """\
import {imports}
from transformers import AutoModelForCausalLM, AutoTokenizer
tokenizer = AutoTokenizer.from_pretrained("gpt2")
model = AutoModelForCausalLM.from_pretrained("gpt2")
def ask(prompt):
    inputs = tokenizer(prompt, return_tensors="pt")
    outputs = model.generate(**inputs, max_new_tokens=16, do_sample=False)
    return tokenizer.decode(outputs[0][inputs.input_ids.shape[1]:], skip_special_tokens=True)
"""
SAME = "the same 2 calls with the same token ids and settings"


@pytest.fixture
def proof(tmp_path: Path, migrate):
    """The proof of a script that does something with `ask`."""

    def run(rest: str, imports: str = "os") -> Proof:
        path = tmp_path / "script.py"
        path.write_text(ASK.format(imports=imports) + rest)
        plan = migrate(path.read_bytes())
        assert plan.changed
        return compare_runs(path, plan.before, plan.after, (), tmp_path, plan.sites)

    return run


@pytest.mark.parametrize(
    ("rest", "reason"),
    [
        pytest.param(
            "print(ask('x'))\nos._exit(0)\n",
            "it left without ending, as `os._exit` does",
            id="leaves",
        ),
        pytest.param(
            "print(ask('x'))\nos.kill(os.getpid(), 9)\n",
            "it was killed by SIGKILL, as a system does that is out of memory",
            id="is killed",
        ),
        pytest.param("print(ask('x'))\nos.abort()\n", "it was killed by SIGABRT", id="crashes"),
        pytest.param("print(ask('x'))\nbytearray(1 << 60)\n", "it ran out of memory", id="memory"),
        pytest.param(
            "import uuid\nprint(ask(str(uuid.uuid4())))\n",
            "asks something else at each run: the two versions cannot be compared",
            id="changes",
        ),
        pytest.param(
            "if os.sep:\n    raise RuntimeError('early')\nprint(ask('x'))\n",
            "it raises RuntimeError: early before and after, and lines 6, 7, 8 were not reached",
            id="raises before it asks",
        ),
    ],
)
def test_what_is_not_proven_says_why(rest, reason, proof):
    outcome = proof(rest)
    assert outcome.verdict == f"not proven: {reason}"
    assert outcome.differences == (outcome.verdict,)


def test_a_write_outside_is_stopped_wherever_it_lies(proof, tmp_path_factory):
    other = tmp_path_factory.mktemp("elsewhere") / "out.txt"
    other.write_text("mine")
    outcome = proof(f"open({str(other)!r}, 'w').write(ask('x'))\n")
    assert "not proven: it was stopped: the script writes to" in outcome.verdict
    assert "which a trial run must not touch; give it a relative path" in outcome.verdict
    assert other.read_text() == "mine"


@pytest.mark.parametrize(
    ("rest", "more"),
    [
        pytest.param("print(ask('x'))\nraise SystemExit(3)\n", "exits with 3", id="exits"),
        pytest.param(
            "print(ask('x'))\nraise ValueError('done')\n", "raises ValueError: done", id="raises"
        ),
    ],
)
def test_an_end_of_its_own_is_told(rest, more, proof):
    outcome = proof(rest)
    assert outcome.verdict == f"{SAME}; it {more} before and after"
    assert outcome.differences == ()
    assert outcome.unwalked == ()


@pytest.mark.parametrize(
    ("rest", "imports"),
    [
        pytest.param("atexit.register(lambda: print(ask('late')))\n", "atexit", id="at exit"),
        pytest.param(
            "thread = threading.Thread(target=ask, args=('x',), daemon=True)\n"
            "thread.start()\nthread.join()\n",
            "threading",
            id="a daemon thread",
        ),
        pytest.param(
            "with multiprocessing.get_context('fork').Pool(1) as pool:\n"
            "    print(pool.map(ask, ['x']))\n",
            "multiprocessing",
            id="a process",
        ),
    ],
)
def test_lines_that_ran_elsewhere_were_reached(rest, imports, proof):
    outcome = proof(rest, imports)
    assert outcome.verdict.startswith(SAME)
    assert outcome.differences == ()
    assert outcome.unwalked == ()


def test_processes_that_start_anew_are_not_seen(proof):
    outcome = proof("subprocess.run([sys.executable, '-c', ''], check=True)\n", "subprocess, sys")
    assert outcome.unwalked == (6, 7, 8)
    assert "; not seen whether lines 6, 7, 8 ran: the script starts Python anew" in outcome.told


def test_threads_ask_in_any_order(proof):
    rest = (
        "import random, time\n"
        "def late(n):\n    time.sleep(random.SystemRandom().random() / 5)\n    ask(str(n))\n"
        "threads = [threading.Thread(target=late, args=(n,)) for n in range(6)]\n"
        "[one.start() for one in threads]\n[one.join() for one in threads]\n"
    )
    outcome = proof(rest, "threading")
    assert outcome.differences == ()
    assert "7 calls with the same token ids and settings, in any order" in outcome.verdict


def test_what_a_run_could_draw_anew_is_the_same_in_each(proof):
    rest = (
        "print(ask(' '.join({'alpha', 'beta', 'gamma', 'delta'})))\n"
        "print(ask(os.getcwd() + __file__ + str(random.random())))\n"
    )
    outcome = proof(rest, "os, random")
    assert outcome.differences == ()
    assert outcome.calls == 3
