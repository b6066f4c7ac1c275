"""What stands in for a script's surroundings while benchmarks/oracle.py runs it: a GPU, data, packages.

A script's own calls stay as they are; only what this machine does not have is put in its place: devices of
CUDA become the CPU, FlashAttention becomes SDPA, `load_dataset` of a name gives a few made-up rows that know
every usual column, and packages of `ORACLE_MISSING` can be imported and do nothing. Answers are cut to a few
tokens. Keywords and names that transformers had in 2023 are taken and dropped below the watch, which sees
what was asked for: most of the scripts would end at their first load, which `check` says as CG110.
"""

from __future__ import annotations

import os
import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, ClassVar

from made_rows import rows

from guard.observing.patching import ImportWatch

_MOST_TOKENS = 8


class _Nothing(ModuleType):
    """A module or object that answers every name, call and loop with nothing."""

    __path__: ClassVar[list[str]] = []

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        return _Nothing(f"{self.__name__}.{name}")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        # As a decorator it gives the function back.
        return args[0] if len(args) == 1 and callable(args[0]) and not kwargs else self

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *args: Any) -> None:
        return None

    def __iter__(self) -> Any:
        return iter(())

    def __mro_entries__(self, bases: Any) -> tuple[type, ...]:
        return ()


class _Missing(MetaPathFinder, Loader):
    names = frozenset(filter(None, os.environ.get("ORACLE_MISSING", "").split(",")))

    def find_spec(self, fullname: str, *_: Any) -> Any:
        if fullname.partition(".")[0] not in self.names:
            return None
        # A library that only asks whether a package is there is told the truth.
        return ModuleSpec(fullname, self) if _is_imported(sys._getframe(1)) else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _Nothing(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        pass


def _is_imported(frame: Any) -> bool:
    while frame is not None and "importlib" in frame.f_code.co_filename:
        if frame.f_code.co_name == "_find_and_load_unlocked":
            return "/site-packages/" not in _importer(frame)
        frame = frame.f_back
    return False


def _importer(frame: Any) -> str:
    while frame is not None and "importlib" in frame.f_code.co_filename:
        frame = frame.f_back
    return frame.f_code.co_filename if frame is not None else ""


def _gives(value: Any) -> Any:
    """A function that gives this, whatever it is asked."""
    return lambda *_, **__: value


def _itself(thing: Any, *_: Any, **__: Any) -> Any:
    return thing


def _torch(torch: Any) -> None:
    from torch.overrides import TorchFunctionMode

    def on_cpu(value: Any) -> Any:
        device = getattr(value, "type", value)
        return "cpu" if isinstance(device, str) and device.startswith("cuda") else value

    class OnCpu(TorchFunctionMode):
        def __torch_function__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            kwargs = dict(kwargs or {})
            name = getattr(func, "__name__", "")
            if name == "cuda":
                return args[0]
            if "device" in kwargs:
                kwargs["device"] = on_cpu(kwargs["device"])
                if type(kwargs["device"]) is int:
                    kwargs["device"] = "cpu"
            if name == "to":
                args = tuple("cpu" if type(one) is int else on_cpu(one) for one in args)
            return func(*args, **kwargs)

    OnCpu().__enter__()
    torch.nn.Module.cuda = _itself
    for name in (
        "set_device",
        "synchronize",
        "empty_cache",
        "reset_peak_memory_stats",
        "manual_seed_all",
    ):
        setattr(torch.cuda, name, _gives(None))
    torch.cuda.current_device = _gives(0)
    torch.cuda.get_device_capability = _gives((8, 0))
    torch.accelerator.current_accelerator = _gives(torch.device("cpu"))
    torch.cuda.mem_get_info = _gives((80 << 30, 80 << 30))
    for owner in (torch.cuda, torch.cpu):
        owner.is_bf16_supported = _gives(True)
        owner.empty_cache = _gives(None)
        owner.max_memory_allocated = _gives(0)
    for name in (
        "max_memory_allocated",
        "memory_allocated",
        "memory_reserved",
        "max_memory_reserved",
    ):
        setattr(torch.cuda, name, _gives(0))


def _device_map(module: Any) -> None:
    plain = module.check_and_set_device_map

    def on_cpu(device_map: Any) -> Any:
        if isinstance(device_map, dict):
            device_map = dict.fromkeys(device_map, "cpu")
        elif device_map is not None:
            device_map = "cpu"
        return plain(device_map)

    module.check_and_set_device_map = on_cpu


_OLD_KEYWORDS = frozenset(
    {
        *(
            "use_auth_token",
            "resume_download",
            "load_in_8bit",
            "load_in_4bit",
            "use_flash_attention_2",
        ),
        *(
            "bf16",
            "fp16",
            "init_device",
            "empty_init",
            "low_cpu_mem_usage",
            "max_memory",
            "offload_folder",
        ),
    }
)


def _from_pretrained(owner: Any) -> None:
    plain = owner.from_pretrained.__func__

    def from_pretrained(cls: Any, *args: Any, **kwargs: Any) -> Any:
        kept = {key: value for key, value in kwargs.items() if key not in _OLD_KEYWORDS}
        if kept.get("device_map") == "auto" or kept.get("device_map") is None:
            kept.pop("device_map", None)
        return plain(cls, *args, **kept)

    owner.from_pretrained = classmethod(from_pretrained)


def _attention(module: Any) -> None:
    owner = module.PreTrainedModel
    _from_pretrained(owner)
    plain = owner._check_and_adjust_attn_implementation

    def adjusted(self: Any, attn_implementation: Any, *args: Any, **kwargs: Any) -> Any:
        flash = isinstance(attn_implementation, str) and "flash" in attn_implementation
        return plain(self, "sdpa" if flash else attn_implementation, *args, **kwargs)

    owner._check_and_adjust_attn_implementation = adjusted
    # Bound where it was imported, before its home was changed.
    from transformers.integrations import accelerate

    module.check_and_set_device_map = accelerate.check_and_set_device_map


def _generation(module: Any) -> None:
    """Answers are short: what a model of random weights says is nobody's concern."""
    owner = module.GenerationMixin
    plain = owner._prepare_generated_length

    def prepared(self: Any, *args: Any, **kwargs: Any) -> Any:
        config = plain(self, *args, **kwargs)
        if isinstance(config.max_length, int):
            config.max_length = min(config.max_length, kwargs["input_ids_length"] + _MOST_TOKENS)
        if isinstance(config.min_length, int):
            config.min_length = min(config.min_length, config.max_length)
        return config

    owner._prepare_generated_length = prepared


def old_names(module: Any) -> None:
    """Names that transformers had in 2023."""
    import torch

    transformers: Any = sys.modules.get("transformers", module)  # it puts another in its place

    # Scripts of 2023 assert that it knows their tokenizer.
    structure = {"models.llama": ["LlamaTokenizer", "LlamaForCausalLM", "LlamaConfig"]}
    if not hasattr(transformers, "_import_structure"):
        transformers._import_structure = {}
    if isinstance(transformers._import_structure, dict):
        transformers._import_structure.update(structure)
    deepspeed = ModuleType("transformers.deepspeed")
    deepspeed.is_deepspeed_zero3_enabled = bool  # type: ignore[attr-defined]
    deepspeed.HfDeepSpeedConfig = object  # type: ignore[attr-defined]
    transformers.deepspeed = sys.modules["transformers.deepspeed"] = deepspeed
    peft: Any = sys.modules.get("peft")
    if hasattr(peft, "prepare_model_for_kbit_training"):
        peft.prepare_model_for_int8_training = peft.prepare_model_for_kbit_training
    gone = {"AdamW": torch.optim.AdamW, "is_tf_available": bool, "is_flax_available": bool}
    for name, value in gone.items():
        if not hasattr(transformers, name):
            setattr(transformers, name, value)
        if not hasattr(transformers.utils, name):
            setattr(transformers.utils, name, value)


_OF_TRAINING = {"evaluation_strategy": "eval_strategy", "no_cuda": "use_cpu"}


def _arguments(module: Any) -> None:
    owner = module.TrainingArguments
    plain = owner.__init__

    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        given = {_OF_TRAINING.get(key, key): value for key, value in kwargs.items()}
        for name in ("fp16", "bf16", "tf32", "deepspeed", "fsdp"):
            given.pop(name, None)
        known = {name: value for name, value in given.items() if name in owner.__dataclass_fields__}
        if str(known.get("optim", "")).startswith(
            ("paged", "adamw_bnb", "adamw_8bit", "adamw_apex")
        ):
            known["optim"] = "adamw_torch"
        known |= {
            "max_steps": min(3, known.get("max_steps") or 3) if known.get("max_steps", 3) > 0 else 3
        }
        known |= {"report_to": [], "use_cpu": True, "push_to_hub": False}
        if type(self) is owner:
            plain(self, *args, **known)
        else:
            plain(self, *args, **given)

    owner.__init__ = init


def _trainer(module: Any) -> None:
    plain = module.Trainer.__init__

    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        if "tokenizer" in kwargs:
            kwargs.setdefault("processing_class", kwargs.pop("tokenizer"))
        plain(self, *args, **kwargs)

    module.Trainer.__init__ = init


def _datasets(module: Any) -> None:
    plain = module.load_dataset
    chosen = module.Dataset.select

    def select(self: Any, indices: Any, *args: Any, **kwargs: Any) -> Any:
        kept = [index for index in indices if index < len(self)]
        return chosen(self, kept, *args, **kwargs)

    module.Dataset.select = select

    def load_dataset(path: str, *args: Any, split: Any = None, **kwargs: Any) -> Any:
        if path in ("json", "csv", "text", "parquet", "arrow"):
            return plain(path, *args, split=split, **kwargs)
        made = module.Dataset.from_list(rows())
        if split is not None:
            return [made for _ in split] if isinstance(split, list) else made
        names = (
            "train",
            "test",
            "validation",
            "dev",
            "train_sft",
            "test_sft",
            "train_prefs",
            "test_prefs",
        )
        return module.DatasetDict(dict.fromkeys(names, made))

    module.load_dataset = load_dataset


def install() -> None:
    """Put the stand-ins in their places; call it before torch is imported."""
    sys.meta_path.insert(0, _Missing())
    ImportWatch(
        {
            "torch": _torch,
            "transformers.integrations.accelerate": _device_map,
            "transformers.modeling_utils": _attention,
            "transformers.generation.utils": _generation,
            "transformers.training_args": _arguments,
            "transformers.trainer": _trainer,
            "transformers": old_names,
            "datasets": _datasets,
        }
    ).start()
