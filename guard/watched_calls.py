"""What is done with a model that a script goes on loading and running as it did: told, not refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from guard.watching.told import Told


class WatchedCalls:
    """The static methods of CleanModelLoader for scripts that are to mean exactly what they meant."""

    @staticmethod
    def load_watched(*args: Any, model_class: Any = None, **keywords: Any) -> Any:
        """Load a model exactly as transformers' `from_pretrained` does, and watch what goes into it.

        Nothing about the model or its tokenizer is other than without the watch: files, dtype, mode,
        generation_config, pad token and side are what the script and the files say. What `load()` would refuse is
        told, once for each hazard, as a `GuardWarning` with its code and in `told()`: a chat model under a base
        name, an adapter that came along, and in what goes into it BOS twice or not at all, control tokens, padding
        without a mask or on the right.

        Args:
            args, keywords: Whatever `from_pretrained` of the class takes, handed on as it is: first a folder or a
                hub id.
            model_class: The class to load with, in the place of `transformers.AutoModelForCausalLM`.

        Returns:
            What the class returns: the model, or with `output_loading_info=True` it and a dict. A model without a
            tokenizer beside it, an encoder-decoder and what is no model of transformers are not watched.

        Raises:
            What `from_pretrained` of the class raises, as it is.
        """
        from guard.watching.loads import load_watched

        return load_watched(args, model_class, keywords)

    @staticmethod
    def generate_watched(model: Any, /, *args: Any, **keywords: Any) -> Any:
        """Call `model.generate` as it is; tell what is wrong with the prompts, and what the call does not say.

        Settings that the model's generation_config.json brings into the call are told as CG303, prompts as
        `load_watched` says. A model that was loaded elsewhere is told as CG301, and not looked at.

        Args:
            model: Anything that has a `generate`.
            args, keywords: Handed on as they are.

        Returns:
            What `model.generate` returns.

        Raises:
            What `model.generate` raises, as it is.
        """
        from guard.watching.calls import generate_watched

        return generate_watched(model, args, keywords)

    @staticmethod
    def pipeline_watched(*args: Any, **keywords: Any) -> Any:
        """Build a pipeline exactly as `transformers.pipeline` does, and watch the model that it generates with.

        A model that the pipeline loads by its name is watched as `load_watched` does. The settings that its calls
        take from generation_config.json, and from the pipeline itself, which samples, are told as CG303. A model
        that was loaded elsewhere is told as CG301, and not looked at.

        Args:
            args, keywords: Whatever `transformers.pipeline` takes, handed on as it is.

        Returns:
            What `transformers.pipeline` returns.

        Raises:
            What `transformers.pipeline` raises, as it is.
        """
        from guard.watching.pipelines import pipeline_watched

        return pipeline_watched(args, keywords)

    @staticmethod
    def told(model: Any) -> tuple[Told, ...]:
        """What was told of a watched model so far, in order; write it beside the results.

        Args:
            model: As `load_watched` returned it, or an adapter's wrapper around it.

        Raises:
            UnguardedModelError: It is not watched.
        """
        from guard.errors import UnguardedModelError
        from guard.watching.hooks import judge_of

        judge = judge_of(model)
        if judge is None:
            raise UnguardedModelError(
                f"this {type(model).__name__} is not watched",
                remedy="model = CleanModelLoader.load_watched(MODEL, …)",
            )
        return tuple(judge.state.told)
