"""Whether a model is our business, and how loudly."""

from __future__ import annotations

from cleanguard.catalogue.hazards import Severity
from cleanguard.settings.config import Settings
from lint_rules._flow.values.joins import ModelId


def load_severity(model: ModelId, settings: Settings) -> Severity | None:
    """Error for a base model, warning for an unknown one, None for a chat model in scope `base`."""
    if settings.scope == "all" or model.standing == "base":
        return "error"
    return None if model.standing == "chat" else "warning"


def described(model: ModelId) -> str:
    """The model in words, for a message."""
    if model.text is None:
        return {
            "base": "a base model",
            "chat": "a chat model",
            "unknown": "a model that is chosen at run time",
        }[model.standing]
    if model.standing == "unknown":
        return f"`{model.text}`, which may be a base model,"
    default = "" if model.fixed else " (the default)"
    return f"the {model.standing} model `{model.text}`{default}"
