"""A guarded base model as lm-evaluation-harness has models: it scores and generates through the guard."""

from __future__ import annotations

import json
import os
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from lm_eval.api.model import LM
from tqdm import tqdm

from cleanguard.version import VERSION
from guard.base.canonical import digest
from guard.calls import GuardedCalls
from guard.errors import SettingsError
from guard.files.hub import torch
from guard.prompts.state import provenance_of, state_of
from guard.records.sources import Source
from guard.records.statement import identity
from stages.harnesses.arguments import folder, loader_for, whole
from stages.harnesses.asking import Asked, fitting_prompt, length_of, score_pairs, told
from stages.harnesses.lm_eval_requests import (
    named,
    no_template,
    options_of,
    pieces,
    rows_of,
    until,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lm_eval.api.instance import Instance

_CACHED_BY = "cleanguard: the load that these answers are of"


class GuardedLM(LM):
    """An `LM` for `--model cleanguard` and for `simple_evaluate(model=GuardedLM(…))`.

    Args:
        pretrained: A directory, a hub id, or `tiny` for the embedded model.
        loaded: Model and tokenizer of CleanModelLoader in its place, adapters included.
        batch_size: Rows at a time; `auto` begins with the guard's own number.
        max_batch_size: With `auto`, the number to begin with.
        device: Where the model goes; the first GPU unless said, or the CPU where there is none.
        max_length: Most positions that are read at once; what the model was made for unless said.
        max_gen_toks: New tokens where a task does not say.
        peft: An adapter's folder.
        seed: Of sampled texts; torch's own seed, which lm_eval's `--seed` sets, unless said.
        options: Keywords of CleanModelLoader: dtype, revision, load_in_4bit, bos, special_tokens, …

    Attributes:
        model, tokenizer: Guarded.
        max_length, max_gen_toks: As above.

    Raises:
        GuardError: As `CleanModelLoader` and `load`; SettingsError for an argument that means nothing.
    """

    def __init__(
        self,
        pretrained: str | os.PathLike[str] | None = None,
        *,
        loaded: tuple[Any, Any] | None = None,
        batch_size: int | str | None = None,
        max_batch_size: int | str | None = None,
        device: str | None = None,
        max_length: int | str | None = None,
        max_gen_toks: int | str = 256,
        peft: str | os.PathLike[str] | None = None,
        seed: int | str | None = None,
        **options: Any,
    ) -> None:
        super().__init__()
        if int(os.environ.get("WORLD_SIZE", "1")) > 1:
            raise SettingsError(
                "lm-eval over the guard was started in several processes",
                remedy="start it once; --model_args device_map=auto spreads the model over the GPUs",
            )
        if (pretrained is None) == (loaded is None):
            raise SettingsError(
                "no model was named" if loaded is None else "two models were named",
                remedy="--model_args pretrained=NAME, or loaded=(model, tokenizer) in Python",
            )
        if loaded is None:
            adapter = None if peft is None else folder("peft", peft)
            self.model, self.tokenizer, _ = loader_for(
                "--model cleanguard", pretrained, device, options
            ).load()
            if adapter is not None:
                self.model = GuardedCalls.attach_adapter(self.model, adapter)
        elif options or peft is not None:
            raise SettingsError(
                f"{', '.join([*options, *(['peft'] if peft else [])])}: the model is loaded already",
                remedy="say it to CleanModelLoader, or attach the adapter",
            )
        else:
            self.model, self.tokenizer = loaded
        state_of(self.model)
        self.max_gen_toks = whole("max_gen_toks", max_gen_toks)
        self.max_length = length_of(
            self.model, None if max_length is None else whole("max_length", max_length)
        )
        self._batch = rows_of(batch_size, max_batch_size)
        self._seed = None if seed is None else whole("seed", seed, 0)
        self._counts: Counter[str] = Counter()
        self._ties: Counter[str] = Counter()

    @property
    def device(self) -> Any:
        """Where the model is."""
        return self.model.device

    @property
    def seed(self) -> int:
        """Of sampled texts. lm_eval seeds torch after an object was made, so it is asked when needed."""
        return torch.initial_seed() % 2**63 if self._seed is None else self._seed

    @property
    def tokenizer_name(self) -> str:
        """Names the tokenizer in caches of requests."""
        return f"cleanguard-{state_of(self.model).provenance.tokenizer.digest}"

    @property
    def _asked(self) -> Asked:
        return Asked(self.model, self.tokenizer, self.max_length, self._batch)

    def loglikelihood(
        self, requests: list[Instance], disable_tqdm: bool = False
    ) -> list[tuple[float, bool]]:
        """The natural logarithm of each continuation's probability, and whether it is greedy.

        Raises:
            GuardError: As `score`, with task and document; nothing is scored then.
        """
        found: list[tuple[float, bool]] = []
        with tqdm(total=len(requests), desc="loglikelihood, guarded", disable=disable_tqdm) as bar:
            for piece in pieces(requests):

                def name(number: int, piece: Sequence[Instance] = piece) -> str:
                    return named(piece[number])

                scored = score_pairs(self._asked, [one.args for one in piece], name)
                for request, one in zip(piece, scored, strict=True):
                    self._counts["contexts cut from the left"] += bool(one.cut)
                    found.append((one.total, one.greedy))
                    self.cache_hook.add_partial("loglikelihood", request.args, found[-1])
                bar.update(len(piece))
        self._count_ties(requests, found)
        self._counts["loglikelihood"] += len(found)
        return found

    def loglikelihood_rolling(
        self, requests: list[Instance], disable_tqdm: bool = False
    ) -> list[float]:
        """The natural logarithm of each text's probability, in windows of `max_length`.

        Every token is scored once, after BOS where the family has it and after the end of a text
        where it has none; windows overlap by one token, and each of them begins with BOS again.
        """
        texts = [request.args[0] for request in requests]
        found = [0.0] * len(requests)  # of a text without a token, too
        asked = [number for number, text in enumerate(texts) if text]
        with tqdm(total=len(asked), desc="rolling, guarded", disable=disable_tqdm) as bar:
            for piece in pieces(asked):

                def score(piece: Sequence[int] = piece) -> Sequence[Any]:
                    return GuardedCalls.perplexity(
                        self.model, self.tokenizer, [texts[number] for number in piece],
                        window=self.max_length, overlap=1, batch_size=self._batch,
                    ).texts  # fmt: skip

                def name(at: int, piece: Sequence[int] = piece) -> str:
                    return named(requests[piece[at]])

                scored = told(name, score)
                for number, one in zip(piece, scored, strict=True):
                    found[number] = one.logprob
                bar.update(len(piece))
        for request, value in zip(requests, found, strict=True):
            self.cache_hook.add_partial("loglikelihood_rolling", request.args, value)
        self._counts["loglikelihood_rolling"] += len(found)
        return found

    def generate_until(self, requests: list[Instance], disable_tqdm: bool = False) -> list[str]:
        """Texts after prompts, each up to the first of its stop strings; greedy unless told otherwise.

        A prompt that does not leave room for the new tokens loses its beginning.

        Raises:
            GuardError: As `complete`, with task and document; nothing is generated then.
        """
        groups: dict[str, list[int]] = defaultdict(list)
        for number, request in enumerate(requests):
            groups[json.dumps(request.args[1], sort_keys=True, default=str)].append(number)
        found = [""] * len(requests)
        ready = []
        for numbers in groups.values():
            stops, settings = options_of(
                requests[numbers[0]], usual=self.max_gen_toks, seed=self.seed
            )
            room = self.max_length - settings["max_new_tokens"]
            prompts = [self._prompt(requests[number], room) for number in numbers]
            ready.append((numbers, stops, settings, prompts))
        with tqdm(total=len(requests), desc="generate_until, guarded", disable=disable_tqdm) as bar:
            for numbers, stops, settings, prompts in ready:

                def keep(
                    place: int,
                    completions: Sequence[Any],
                    numbers: list[int] = numbers,
                    stops: list[str] = stops,
                ) -> None:
                    request = requests[numbers[place]]
                    text = found[numbers[place]] = until(completions[0].text, stops)
                    self._counts["control tokens emitted"] += completions[0].control_tokens
                    self.cache_hook.add_partial("generate_until", request.args, text)
                    bar.update()

                GuardedCalls.complete(
                    self.model, self.tokenizer, prompts, batch_size=self._batch, progress=False,
                    on_finished=keep, stop_strings=stops or None, **settings,
                )  # fmt: skip
        self._counts["generate_until"] += len(found)
        return found

    def apply_chat_template(
        self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True
    ) -> NoReturn:
        """Refused: raises TemplateOnBaseError."""
        raise no_template()

    def chat_template(self, chat_template: bool | str = False) -> str | None:
        """None; raises TemplateOnBaseError where one is asked for."""
        if chat_template:
            raise no_template()
        return None

    def set_cache_hook(self, cache_hook: Any) -> None:
        """Take lm_eval's cache of answers, if what lies in it was answered by the same model, loaded alike.

        Raises:
            SettingsError: It holds answers of another load, or of one that nothing is known of.
        """
        store = cache_hook.dbdict
        if store is not None:
            mine = digest([identity(Source(self.model).plain()), self.max_length])
            theirs = store.get(_CACHED_BY)
            if len(store) and theirs != mine:
                raise SettingsError(
                    f"the cache {store.filename} holds answers of another load",
                    remedy="name another file with --use_cache: lm_eval finds answers by the prompt "
                    "alone, whichever model gave them",
                )
            store[_CACHED_BY] = mine
        super().set_cache_hook(cache_hook)

    def get_model_info(self) -> dict[str, Any]:
        """What lm_eval puts into its results: the model, and how it was asked."""
        provenance = provenance_of(self.model)
        return {
            "model_num_parameters": provenance.model.parameters,
            "model_dtype": provenance.dtype,
            "model_revision": provenance.model.revision_requested or "",
            "model_sha": provenance.revision or "",
            "cleanguard": {
                "version": VERSION,
                "load": Source(self.model).digest(),
                "run": self.settings(),
                "requests": dict(sorted(self._counts.items())),
                "ties for the first place": dict(sorted(self._ties.items())),
                "provenance": provenance.to_dict(),
            },
        }

    def settings(self) -> dict[str, Any]:
        """How the model is asked, in JSON types."""
        import lm_eval

        return {
            "harness": f"lm_eval {lm_eval.__version__}",
            "bos_prefix": list(state_of(self.model).policy.prefix),
            "max_length": self.max_length,
            "max_gen_toks": self.max_gen_toks,
            "batch_size": self._batch or "auto",
            "seed": self.seed,
        }

    @property
    def ties(self) -> Mapping[str, int]:
        """By task, the documents with several continuations that share the first place."""
        return self._ties

    @property
    def cut(self) -> int:
        """How many contexts lost their beginning."""
        return self._counts["contexts cut from the left"]

    def _prompt(self, request: Instance, room: int) -> str:
        def fitted() -> str:
            prompt, cut = fitting_prompt(self._asked, request.args[0], room)
            self._counts["contexts cut from the left"] += bool(cut)
            return prompt

        return told(lambda _: named(request), fitted)

    def _count_ties(
        self, requests: Sequence[Instance], found: Sequence[tuple[float, bool]]
    ) -> None:
        beside: dict[tuple[Any, ...], list[float]] = defaultdict(list)
        for request, (total, _) in zip(requests, found, strict=True):
            beside[request.task_name, request.doc_id, request.args[0]].append(total)
        for (task, _, _), totals in beside.items():
            if totals.count(max(totals)) > 1:
                self._ties[str(task)] += 1
