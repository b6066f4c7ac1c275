from __future__ import annotations

import subprocess
import sys

import pytest

from cleanguard.installing import install


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_importing_guard_loads_no_torch() -> None:
    done = run(
        "import sys; from guard import CleanModelLoader; CleanModelLoader('gpt2', for_training=True);"
        "print({'torch', 'transformers', 'tokenizers', 'huggingface_hub'} & set(sys.modules))"
    )
    assert done.stdout.strip() == "set()", done.stderr


@pytest.mark.parametrize("package", ["torch", "transformers"])
def test_missing_extra_is_one_sentence_that_names_it(package: str) -> None:
    done = run(
        f"import sys; sys.modules[{package!r}] = None; from guard import CleanModelLoader; "
        "CleanModelLoader('gpt2').load()"
    )
    last = done.stderr.strip().splitlines()[-2:]
    assert package in last[0]
    assert install("guard") in last[1]


def test_unknown_name_is_an_attribute_error() -> None:
    import guard

    with pytest.raises(AttributeError, match="no_such"):
        _ = guard.no_such
    assert "CleanModelLoader" in dir(guard)
