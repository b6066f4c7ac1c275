"""What inspect_ai asks of a model, as one plain prompt and keywords of `complete`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from guard.errors import SettingsError, TemplateOnBaseError

if TYPE_CHECKING:
    from inspect_ai.model import ChatMessage, GenerateConfig
    from inspect_ai.tool import ToolInfo

# Settings that change a text or ask for more of it, and that are not had here.
_NOT_HERE = (
    *("best_of", "frequency_penalty", "presence_penalty", "logit_bias", "logprobs", "top_logprobs"),
    *("prompt_logprobs", "response_schema", "extra_body", "modalities", "reasoning_effort"),
    *("reasoning_tokens", "internal_tools", "fallback_models", "effort", "verbosity"),
)


def prompt_of(messages: Sequence[ChatMessage], tools: Sequence[ToolInfo]) -> str:
    """The text of the one user message.

    Raises:
        TemplateOnBaseError: There is a conversation, a system message, or a tool.
        SettingsError: The message holds something other than text.
    """
    if tools:
        raise TemplateOnBaseError(
            f"the task gives tools ({', '.join(one.name for one in tools[:4])}) to a base model",
            remedy="a base model calls none: take a task without tools",
        )
    roles = [one.role for one in messages]
    if roles != ["user"]:
        system = "system" in roles
        raise TemplateOnBaseError(
            f"the task gives a base model {'a system message' if system else 'a conversation'} "
            f"({', '.join(roles)})",
            remedy="put everything into the sample's input as one plain text; take system_message(…), "
            "chain_of_thought and multi-turn solvers out of the task"
            if system
            else "put everything into the sample's input as one plain text",
        )
    content = messages[0].content
    if isinstance(content, str):
        return content
    if any(part.type != "text" for part in content):
        kinds = sorted({part.type for part in content})
        raise SettingsError(
            f"a message holds {', '.join(kinds)}", remedy="a base model is asked in plain text"
        )
    return "".join(part.text for part in content if part.type == "text")


def options_of(config: GenerateConfig, usual: int | None) -> dict[str, Any]:
    """Keywords of `complete`; greedy unless a temperature is given.

    Args:
        config: inspect_ai's settings.
        usual: New tokens where they do not say.

    Raises:
        SettingsError: A setting that is not had here.
    """
    asked = [name for name in _NOT_HERE if getattr(config, name, None) not in (None, False)]
    if config.system_message:
        raise TemplateOnBaseError(
            "a system message was given to a base model", remedy="leave out --system-message"
        )
    if asked:
        raise SettingsError(
            f"{', '.join(asked)}: not available with a guarded base model",
            remedy="leave it out; temperature, top_p, top_k, seed, stop_seqs, max_tokens and "
            "num_choices are had",
        )
    found: dict[str, Any] = {"max_new_tokens": config.max_tokens or usual}
    if config.stop_seqs:
        found["stop_strings"] = list(config.stop_seqs)
    if config.num_choices and config.num_choices > 1:
        found["num_return_sequences"] = config.num_choices
    if config.temperature:
        found["temperature"] = config.temperature
        named = {"top_p": config.top_p, "top_k": config.top_k, "seed": config.seed}
        found |= {name: value for name, value in named.items() if value is not None}
    return found
