"""Readies a process for programs: the libraries loaded and watched, the models built, one thread."""

from __future__ import annotations

import logging
import os
import tempfile
from pathlib import Path


def ready() -> Room:  # noqa: F821 - named below, after the environment is set
    """The room of this process; call it before anything imports transformers."""
    os.environ |= {
        "HF_HUB_OFFLINE": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "OMP_NUM_THREADS": "1",
    }
    from tests.differential import models

    folder = models.built()
    models.use(folder)
    import torch
    import transformers

    torch.set_num_threads(1)
    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()
    logging.disable(logging.CRITICAL)
    import peft  # noqa: F401
    from huggingface_hub import constants

    from tests.differential import announced, recorder
    from tests.differential.running import Room

    constants.HF_HUB_CACHE = str(folder / "hub")
    recorder.install()
    announced.install()
    place = Path(tempfile.mkdtemp(prefix="differential-")) / "run"
    return Room(place, folder)
