"""A guarded base model as inspect_ai has models: one user message is the prompt, as it stands."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlparse

import anyio
from anyio.to_thread import run_sync
from inspect_ai._util.error import PrerequisiteError
from inspect_ai.log import transcript
from inspect_ai.model import (
    ChatCompletionChoice,
    ChatMessageAssistant,
    GenerateConfig,
    ModelAPI,
    ModelOutput,
    ModelUsage,
)

from cleanguard.version import VERSION
from guard.calls import GuardedCalls
from guard.enforcing.passing import is_lifted
from guard.errors import GuardError
from guard.files.hub import torch
from guard.prompts.encoding import encode_rows
from guard.prompts.state import provenance_of, state_of
from guard.records.attestation import attest
from guard.records.sources import Source
from stages.harnesses.arguments import folder, loader_for, whole
from stages.harnesses.inspect_request import options_of, prompt_of

if TYPE_CHECKING:
    from inspect_ai.model import ChatMessage
    from inspect_ai.tool import ToolChoice, ToolInfo

    from guard import Completion

_GATHERING = 0.02  # seconds in which requests that come together join a batch
_USUAL_TOKENS = 256
_STOPS = {"eos": "stop", "stop": "stop", "length": "max_tokens"}
_ANSWERED: dict[str, list[GuardedAPI]] = defaultdict(list)
_LOADED: dict[str, tuple[Any, Any]] = {}


@dataclass(slots=True)
class _Waiting:
    """A request that waits for its batch."""

    prompt: str
    options: dict[str, Any]
    found: list[Completion] = field(default_factory=list)
    error: BaseException | None = None

    @property
    def done(self) -> bool:
        return bool(self.found) or self.error is not None


class GuardedAPI(ModelAPI):
    """The provider behind `--model cleanguard/NAME`.

    Args:
        model_name: A directory, a hub id, or `tiny` for the embedded model.
        base_url, api_key: Not used.
        config: inspect_ai's settings of generation.
        model_args: `-M`: keywords of CleanModelLoader, and `batch_size`, `device`, `peft`.

    Raises:
        PrerequisiteError: With what `CleanModelLoader` or `load` says, and the remedy.
    """

    def __init__(
        self,
        model_name: str,
        base_url: str | None = None,
        api_key: str | None = None,
        config: GenerateConfig | None = None,
        **model_args: Any,
    ) -> None:
        super().__init__(model_name, base_url, api_key, [], config or GenerateConfig())
        try:
            rows = model_args.pop("batch_size", None)
            self.rows = 32 if rows is None else whole("batch_size", rows)
            self.model, self.tokenizer = _loaded(model_name, model_args)
        except GuardError as error:
            # Shown by inspect_ai as it is, without a traceback.
            raise PrerequisiteError(f"cleanguard: {error}") from error
        self._waiting: list[_Waiting] = []
        self._turn = anyio.Lock()
        self._asked: Counter[tuple[Any, ...]] = Counter()
        self.told = False

    async def generate(
        self,
        input: list[ChatMessage],
        tools: list[ToolInfo],
        tool_choice: ToolChoice,
        config: GenerateConfig,
    ) -> ModelOutput:
        """Go on from the text of one user message, greedily unless a temperature is given.

        Raises:
            TemplateOnBaseError: A conversation, a system message, tools.
            SettingsError: A setting that a base model in this process has no meaning for.
            GuardError: As `complete`.
        """
        prompt = prompt_of(input, tools)
        options = options_of(config, self.max_tokens())
        # Alone, so that one bad prompt costs no other in its batch.
        state = state_of(self.model)
        encode_rows(
            self.tokenizer, state.policy, [prompt],
            max_length=state.provenance.model.context, lifted=is_lifted(state),
        )  # fmt: skip
        self._seed(prompt, options)
        if self not in _ANSWERED[self.model_name]:
            _ANSWERED[self.model_name].append(self)
        begun = time.monotonic()
        found = await self._batched(_Waiting(prompt, options))
        if not self.told:
            self.told = True
            transcript().info(self.about(), source="cleanguard")
        return self._output(found, time.monotonic() - begun)

    def max_tokens(self) -> int | None:
        """New tokens where a task does not say."""
        return _USUAL_TOKENS

    def max_connections(self) -> int:
        """Rows of a batch: what waits together is generated together."""
        return self.rows

    async def count_text_tokens(self, text: str) -> int:
        """By the model's own tokenizer."""
        return len(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def close(self) -> None:
        """Give the model back."""
        _ANSWERED.pop(self.model_name, None)
        for key in [key for key, held in _LOADED.items() if held[0] is self.model]:
            del _LOADED[key]
        self.model = self.tokenizer = None
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def about(self) -> dict[str, Any]:
        """The provenance, for the log."""
        return {"version": VERSION, "provenance": provenance_of(self.model).to_dict()}

    def _seed(self, prompt: str, options: dict[str, Any]) -> None:
        """Epochs put the same prompt again: each gets a seed of its own."""
        if "seed" in options:
            named = (prompt, *sorted((name, repr(value)) for name, value in options.items()))
            options["seed"] += 1_000_003 * self._asked[named]
            self._asked[named] += 1

    async def _batched(self, mine: _Waiting) -> list[Completion]:
        self._waiting.append(mine)
        async with self._turn:
            if not mine.done:
                await anyio.sleep(_GATHERING)
                batch = [one for one in self._waiting if one.options == mine.options][: self.rows]
                batch = batch if mine in batch else [mine]
                self._waiting = [one for one in self._waiting if one not in batch]
                await run_sync(self._run, batch)
        if mine.error is not None:
            raise mine.error
        return mine.found

    def _run(self, batch: Sequence[_Waiting]) -> None:
        try:
            found = GuardedCalls.complete(
                self.model, self.tokenizer, [one.prompt for one in batch],
                batch_size=self.rows, progress=False, **batch[0].options,
            )  # fmt: skip
        except BaseException as error:
            for one in batch:
                one.error = error
            if not isinstance(error, Exception):
                raise
            return
        each = len(found) // len(batch)
        for number, one in enumerate(batch):
            one.found = found[number * each : (number + 1) * each]

    def _output(self, found: Sequence[Completion], seconds: float) -> ModelOutput:
        written = sum(len(one.ids) for one in found)
        return ModelOutput(
            model=self.model_name,
            choices=[
                ChatCompletionChoice(
                    message=ChatMessageAssistant(
                        content=one.text, model=self.model_name, source="generate"
                    ),
                    stop_reason=_STOPS[one.finish_reason],
                )
                for one in found
            ],
            usage=ModelUsage(
                input_tokens=found[0].prompt_tokens,
                output_tokens=written,
                total_tokens=found[0].prompt_tokens + written,
            ),
            time=seconds,
            metadata={
                "cleanguard": {
                    **Source(self.model).compact(),
                    "seeds": [one.seed for one in found],
                    "control_tokens": sum(one.control_tokens for one in found),
                    "batch": found[0].batch,
                    "engine": found[0].engine,
                }
            },
        )


def _loaded(name: str, given: dict[str, Any]) -> tuple[Any, Any]:
    """Model and tokenizer; inspect_ai makes a provider twice for one evaluation."""
    key = repr((name, sorted(given.items())))
    if key not in _LOADED:
        options = dict(given)
        device, adapter = options.pop("device", None), options.pop("peft", None)
        adapter = None if adapter is None else folder("peft", adapter)
        model, tokenizer, _ = loader_for(f"--model cleanguard/{name}", name, device, options).load()
        if adapter is not None:
            model = GuardedCalls.attach_adapter(model, adapter)
        _LOADED[key] = model, tokenizer
    return _LOADED[key]


def begin_log() -> None:
    """A task begins: its log is told the provenance with the first answer."""
    for apis in _ANSWERED.values():
        for api in apis:
            api.told = False


def seal_log(log: Any) -> Path | None:
    """Write the statement beside the log of a task that a guarded model answered.

    Args:
        log: inspect_ai's `EvalLog`.

    Returns:
        Where the statement lies; None for another provider's log, or one that is no local file.
    """
    provider, _, name = str(log.eval.model).partition("/")
    place = urlparse(str(log.location))
    path = Path(unquote(place.path if place.scheme == "file" else str(log.location)))
    if provider != "cleanguard" or not _ANSWERED[name] or not path.is_file():
        return None
    told = {
        one.output.metadata["cleanguard"]["load"]
        for one in log.samples or ()
        if one.output.metadata and "cleanguard" in one.output.metadata
    }
    loads = {Source(api.model).digest(): api.model for api in _ANSWERED[name]}
    # A log of a set of evaluations comes without its samples.
    used = [model for load, model in loads.items() if load in told] or [list(loads.values())[-1]]
    roles = {"model" if not number else f"model {number}": m for number, m in enumerate(used)}
    task = {"task": log.eval.task, "run_id": log.eval.run_id, "status": log.status}
    return attest(path, roles, params={"harness": "inspect_ai", **task})
