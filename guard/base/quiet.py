"""Keeps bitsandbytes from saying the same thing at every layer of every step."""

from __future__ import annotations

import logging

# Said for each int8 layer at each token: once is worth knowing.
_ONCE = "MatMul8bitLt: inputs will be cast from"
# Said at import on some processors, of a kernel from the hub that the guard never lets in.
_NEVER = "Failed to load CPU gemm_4bit_forward from kernels-community"


class _Filter(logging.Filter):
    def __init__(self) -> None:
        super().__init__()
        self._said: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        text = str(record.msg)
        if text.startswith(_NEVER):
            return False
        if not text.startswith(_ONCE):
            return True
        said = record.getMessage()
        first = said not in self._said
        self._said.add(said)
        return first


_filter = _Filter()


def quiet_bitsandbytes() -> None:
    """Let the one known message through once and another not at all; all others stay."""
    for name in ("bitsandbytes.autograd._functions", "bitsandbytes.backends.cpu.ops"):
        logging.getLogger(name).addFilter(_filter)
