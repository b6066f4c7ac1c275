"""What the libraries tell each other while a model loads, and nobody who runs a command can act on."""

from __future__ import annotations

import os

from guard.base.quiet import quiet_bitsandbytes

_SETTINGS = {
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "TRANSFORMERS_VERBOSITY": "error",
}


def quieten() -> None:
    """Keep them quiet, unless the caller decided otherwise; to be called before torch and transformers are imported."""
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)
    quiet_bitsandbytes()
