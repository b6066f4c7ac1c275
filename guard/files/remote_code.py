"""Code from the hub that a load would run: only what was trusted, and only at one commit."""

from __future__ import annotations

import re
from importlib.util import find_spec
from typing import Any

from cleanguard.catalogue import hazards
from guard.base.checks import CheckList
from guard.errors import RemoteCodeError
from guard.files.request import LoadRequest
from guard.files.source import ModelSource

_COMMIT = re.compile(r"[0-9a-f]{40}")
_CODE_MAPS = ("config.json", "tokenizer_config.json")
# Without the package, transformers fetches a kernel from the hub in its place and runs it.
_FLASH_PACKAGES = {
    "flash_attention_2": "flash_attn",
    "flash_attention_3": "flash_attn_interface",
    "flash_attention_4": "flash_attn",
}


def check_pin(request: LoadRequest, source: ModelSource, checks: CheckList) -> None:
    """Raise RemoteCodeError for code that is not trusted or not pinned; an unpinned model is noted."""
    pinned = source.kind == "local" or _is_commit(request.revision)
    runs = runs_code(request, source)
    if runs and not pinned:
        raise RemoteCodeError(
            f"trust_remote_code=True with revision={request.revision!r}",
            remedy=f"read the code and pass revision={source.revision!r}",
        )
    elsewhere = code_elsewhere(source) if runs else ()
    if elsewhere and not _is_commit(request.code_revision):
        raise RemoteCodeError(
            f"{request.model_id} takes its code from {', '.join(elsewhere)}, which its own revision "
            f"does not pin, and code_revision={request.code_revision!r}",
            evidence={"repositories": list(elsewhere)},
            remedy="read the code there and pass code_revision= with that repository's commit, "
            "40 hex digits",
        )
    kernels = _kernels(request)
    ran = ["the model's own code"] if runs else []
    ran += [f"the kernel {kernel}" for kernel in kernels]
    if request.trust_remote_code and not ran:
        said = "trust_remote_code=True, but the model has no code of its own"
        checks.add("no-remote-code", hazards.REMOTE_CODE, said)
    else:
        checks.add(
            "no-remote-code",
            hazards.REMOTE_CODE,
            ", ".join(ran),
            "overridden" if ran else "pass",
        )
    if pinned:
        checks.add("pinned-revision", hazards.UNPINNED_REVISION)
    else:
        said = (
            f"{request.revision or 'the default branch'} stood for {source.revision} at this load"
        )
        checks.add("pinned-revision", hazards.UNPINNED_REVISION, said, "recorded")


def runs_code(request: LoadRequest, source: ModelSource) -> bool:
    """Whether code of the model's repository is to run: it has some, and it is trusted."""
    return request.trust_remote_code and any(
        source.read_json(name).get("auto_map") for name in _CODE_MAPS
    )


def code_elsewhere(source: ModelSource) -> tuple[str, ...]:
    """Other repositories that a model takes its code from, sorted."""
    found: set[str] = set()
    for name in _CODE_MAPS:
        for reference in _strings(source.read_json(name).get("auto_map")):
            repository, dashes, _ = reference.partition("--")
            if dashes and repository != source.requested:
                found.add(repository)
    return tuple(sorted(found))


def refuse_code(error: BaseException, request: LoadRequest, source: ModelSource) -> None:
    """Raise RemoteCodeError if transformers failed because it may not run the repository's code."""
    if not request.trust_remote_code and "trust_remote_code" in str(error):
        pin = "" if source.revision is None else f" and revision={source.revision!r}"
        raise RemoteCodeError(
            f"{request.model_id} is no model that transformers knows; it brings its own code",
            remedy=f"read the code, then pass trust_remote_code=True{pin}",
        ) from error


def _kernels(request: LoadRequest) -> list[str]:
    """The kernels from the hub that attention is to run; raises unless trusted and pinned."""
    asked = request.attn_implementation
    for name in _strings(asked):
        if "/" in name:
            continue
        package = _FLASH_PACKAGES.get(name)
        if package and find_spec(package) is None and find_spec("kernels") is not None:
            raise RemoteCodeError(
                f"attn_implementation={name!r} and {package} is not installed: transformers would "
                "fetch a kernel from the hub instead, at no fixed commit, and run it",
                remedy=f'install {package}, take attn_implementation="sdpa", or name the kernel '
                "with its commit (REPOSITORY@COMMIT) and pass trust_remote_code=True",
            )
    found = [name for name in _strings(asked) if "/" in name]
    for name in found:
        commit = name.partition("@")[2].partition(":")[0]
        if not request.trust_remote_code or not _is_commit(commit):
            raise RemoteCodeError(
                f"attn_implementation={name!r} fetches a kernel from the hub and runs it",
                remedy="read its code, name its commit behind an @ (40 hex digits), and pass "
                "trust_remote_code=True; or take one of sdpa, eager, flash_attention_2",
            )
    return found


def _is_commit(revision: str | None) -> bool:
    return bool(_COMMIT.fullmatch(revision or ""))


def _strings(value: Any) -> list[str]:
    """Every string in nested lists and dicts."""
    if isinstance(value, str):
        return [value]
    parts = list(value.values()) if isinstance(value, dict) else value
    return [s for part in parts for s in _strings(part)] if isinstance(parts, (list, tuple)) else []
