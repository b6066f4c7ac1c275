"""The legacy scripts keep their variety: for each shape of old code, at least one script has it.

The rewrites are proven on these shapes, so that one which silently left would take its proof along.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Callable, Iterator
from importlib import resources
from pathlib import Path
from typing import TypeVar

import pytest

FOLDER = Path(str(resources.files("cleanguard") / "legacy"))
SCRIPTS = (
    "create_preference_pairs_improved.py",
    "evaluate_capability_differentiation.py",
    "evaluate_capability_differentiation_sequential.py",
    "evaluate_final.py",
    "evaluate_instruction_following.py",
    "evaluate_sft_model.py",
    "evaluate_stage1_comprehensive.py",
    "evaluate_stage1_corrected.py",
    "evaluate_stage1_readiness.py",
    "generate_stage1_sft_data.py",
    "test_base_model_definitive.py",
    "test_base_model_ultra_clean.py",
    "test_clean_base_model.py",
    "train_stage1_dpo_improved.py",
    "train_stage1_sft.py",
)
Node = TypeVar("Node", bound=ast.AST)
MODEL, TOKENIZER = "AutoModelForCausalLM", "AutoTokenizer"
INVENTED = {"bnb_8bit_quant_type", "bnb_8bit_use_double_quant", "bnb_8bit_compute_dtype"}


def source_of(script: str) -> str:
    return (FOLDER / script).read_text(encoding="utf-8")


def every(tree: ast.AST, kind: type[Node]) -> Iterator[Node]:
    return (node for node in ast.walk(tree) if isinstance(node, kind))


def called(call: ast.AST) -> str:
    """`self.tokenizer.encode(…)` → `self.tokenizer.encode`; nothing for what is no call."""
    return ast.unparse(call.func) if isinstance(call, ast.Call) else ""


def calls(tree: ast.AST, name: str) -> list[ast.Call]:
    """Calls of `name` or of `….name`."""
    return [node for node in every(tree, ast.Call) if f".{called(node)}".endswith(f".{name}")]


def loads(tree: ast.AST, what: str) -> list[ast.Call]:
    return calls(tree, f"{what}.from_pretrained")


def keywords(call: ast.Call) -> dict[str | None, str]:
    return {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}


def has_keywords(tree: ast.AST, name: str, **wanted: str) -> bool:
    return any(wanted.items() <= keywords(call).items() for call in calls(tree, name))


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef]:
    return every(tree, ast.FunctionDef)


def assigned(tree: ast.AST, target: str) -> list[ast.expr]:
    """The values given to `target`, written as in the source."""
    return [
        node.value for node in every(tree, ast.Assign) if target in map(ast.unparse, node.targets)
    ]


def at_module_level(tree: ast.Module) -> bool:
    return not list(functions(tree)) and bool(loads(tree, MODEL)) and bool(calls(tree, "generate"))


def helper_returns_pair(tree: ast.Module) -> bool:
    return any(
        loads(function, MODEL)
        and loads(function, TOKENIZER)
        and "tokenizer" in ast.unparse(back.value)
        for function in functions(tree)
        for back in every(function, ast.Return)
        if isinstance(back.value, ast.Tuple)
    )


def helper_on_a_helper(tree: ast.Module) -> bool:
    loaders = {f.name for f in functions(tree) if loads(f, MODEL)}
    return any(
        called(call) in loaders and loads(function, "PeftModel")
        for function in functions(tree)
        for call in every(function, ast.Call)
    )


def in_self(tree: ast.Module) -> bool:
    models = [load for value in assigned(tree, "self.model") for load in loads(value, MODEL)]
    tokenizers = [load for v in assigned(tree, "self.tokenizer") for load in loads(v, TOKENIZER)]
    return bool(models and tokenizers)


def in_different_methods(tree: ast.Module) -> bool:
    return any(
        bool(loads(one, MODEL)) and not loads(one, TOKENIZER)
        for owner in every(tree, ast.ClassDef)
        if loads(owner, TOKENIZER)
        for one in functions(owner)
    )


def member_of_self_models(tree: ast.Module) -> bool:
    return all(
        assigned(tree, target)
        for target in ("self.models['base']", "self.models['sft']", "self.models['dpo']")
    )


def loaded_in_a_loop(tree: ast.Module) -> bool:
    return bool(assigned(tree, "models[name]")) and any(
        loads(n, MODEL) for n in every(tree, ast.For)
    )


def one_tokenizer_three_models(tree: ast.Module) -> bool:
    return len(loads(tree, TOKENIZER)) == 1 and len(loads(tree, MODEL)) == 3


def adapter_on_a_variable(tree: ast.Module) -> bool:
    return any(isinstance(call.args[0], ast.Name) for call in loads(tree, "PeftModel"))


def adapter_in_place(tree: ast.Module) -> bool:
    return any(ast.unparse(call.args[0]) == "self.base_model" for call in loads(tree, "PeftModel"))


def merged_then_adapter(tree: ast.Module) -> bool:
    return any(
        calls(function, "merge_and_unload") and len(loads(function, "PeftModel")) == 2
        for function in functions(tree)
    )


def merged_then_new_lora(tree: ast.Module) -> bool:
    """The adapter is merged in one method, the trainer adds its own in another."""
    merged = [f for f in functions(tree) if calls(f, "merge_and_unload")]
    return any(loads(f, "PeftModel") for f in merged) and has_keywords(
        tree, "DPOTrainer", peft_config="peft_config", ref_model="None"
    )


def adapter_on_a_quantized_model(tree: ast.Module) -> bool:
    return any(
        loads(function, MODEL)
        and calls(function, "prepare_model_for_kbit_training")
        and calls(function, "get_peft_model")
        for function in functions(tree)
    )


def quantization_from_a_helper(tree: ast.Module) -> bool:
    helpers = {
        f"{function.name}()"
        for function in functions(tree)
        if isinstance(function, ast.FunctionDef) and calls(function, "BitsAndBytesConfig")
    }
    return any(keywords(c).get("quantization_config") in helpers for c in loads(tree, MODEL))


def quantization_at_module_level(tree: ast.Module) -> bool:
    return any(
        isinstance(node, ast.Assign) and calls(node, "BitsAndBytesConfig") for node in tree.body
    )


def mask_by_marker(tree: ast.Module) -> bool:
    return any(
        isinstance(node, ast.Compare)
        and "input_ids[" in ast.unparse(node.left)
        and ast.unparse(node.comparators[0]) == "marker"
        for node in ast.walk(tree)
    )


def template_stripped_save(tree: ast.Module) -> bool:
    return bool(calls(tree, "self.tokenizer.save_pretrained"))


def encode_instead_of_call(tree: ast.Module) -> bool:
    return has_keywords(tree, "encode", return_tensors="'pt'", add_special_tokens="False")


def preview_of_ids(tree: ast.Module) -> bool:
    return any(
        isinstance(node.slice, ast.Slice) and calls(node.value, "encode")
        for node in every(tree, ast.Subscript)
    )


def literal_newline_bug(tree: ast.Module) -> bool:
    return any(n.value == "\\n\\n" for n in every(tree, ast.Constant))


def doubled_backslashes(tree: ast.Module) -> bool:
    return any(isinstance(n.value, str) and "\\\\b" in n.value for n in every(tree, ast.Constant))


def zero_is_greedy(tree: ast.Module) -> bool:
    return any(
        keywords(call).get("do_sample", "").endswith("temperature > 0")
        for call in calls(tree, "generate")
    )


def load_in_try(tree: ast.Module) -> bool:
    return any(loads(node, MODEL) for node in every(tree, ast.Try))


def two_loads_in_try(tree: ast.Module) -> bool:
    return any(len(loads(node, MODEL)) == 2 for node in every(tree, ast.Try))


def prompt_sliced_off_text(tree: ast.Module) -> bool:
    return any("[len(prompt):]" in ast.unparse(node) for node in every(tree, ast.Subscript))


def padded_batch(tree: ast.Module) -> bool:
    return has_keywords(tree, "tokenizer", padding="True") and bool(calls(tree, "batch_decode"))


def generate_returns_dict(tree: ast.Module) -> bool:
    return has_keywords(tree, "generate", return_dict_in_generate="True", output_scores="True")


def scored_by_logits(tree: ast.Module) -> bool:
    return any(
        node.attr == "logits" and called(node.value) == "model"
        for node in every(tree, ast.Attribute)
    )


def temperature_without_sampling(tree: ast.Module) -> bool:
    return any(
        keywords(call).get("temperature") == "0.7" and "do_sample" not in keywords(call)
        for call in calls(tree, "generate")
    )


def settings_in_a_dict(tree: ast.Module) -> bool:
    return any("gen_kwargs" in keywords(call).values() for call in calls(tree, "generate"))


def load_keywords_in_a_dict(tree: ast.Module) -> bool:
    return any(None in keywords(call) for call in loads(tree, MODEL))


def nested_quantization(tree: ast.Module) -> bool:
    return any(
        "BitsAndBytesConfig(" in keywords(c).get("quantization_config", "")
        for c in loads(tree, MODEL)
    )


def invented_keywords(tree: ast.Module) -> bool:
    return any(keywords(call).keys() >= INVENTED for call in calls(tree, "BitsAndBytesConfig"))


def decorated_no_grad(tree: ast.Module) -> bool:
    return any(
        "torch.no_grad()" in map(ast.unparse, function.decorator_list)
        for function in functions(tree)
    )


def within(tree: ast.Module, manager: str) -> bool:
    return any(
        ast.unparse(node.items[0].context_expr) == manager and calls(node, "generate")
        for node in every(tree, ast.With)
    )


def model_id_in_dataclass(tree: ast.Module) -> bool:
    return any(
        isinstance(field, ast.AnnAssign) and ast.unparse(field.target) == "model_name"
        for owner in every(tree, ast.ClassDef)
        if "dataclass" in map(ast.unparse, owner.decorator_list)
        for field in owner.body
    )


SHAPES: dict[str, Callable[[ast.Module], bool]] = {
    "straight line at module level": at_module_level,
    "helper returns model and tokenizer": helper_returns_pair,
    "helper built on a helper": helper_on_a_helper,
    "self.model and self.tokenizer": in_self,
    "tokenizer and model in different methods": in_different_methods,
    "self.models['base'], ['sft'], ['dpo']": member_of_self_models,
    "a loop fills a dict of models": loaded_in_a_loop,
    "one tokenizer for three models": one_tokenizer_three_models,
    "attribute of the transformers module": lambda t: bool(
        calls(t, "transformers.AutoTokenizer.from_pretrained")
    ),
    "adapter on a variable": adapter_on_a_variable,
    "adapter attached in place": adapter_in_place,
    "merge, then another adapter": merged_then_adapter,
    "merge, then a new LoRA": merged_then_new_lora,
    "LoRA on a quantized model": adapter_on_a_quantized_model,
    "encode() instead of a call": encode_instead_of_call,
    "token preview": preview_of_ids,
    "stop strings": lambda t: has_keywords(t, "generate", stop_strings="stop_strings"),
    "literal \\n\\n as a stop": literal_newline_bug,
    "doubled backslashes in a regex": doubled_backslashes,
    "temperature 0 is greedy": zero_is_greedy,
    "try around the load": load_in_try,
    "try with a second load as the way out": two_loads_in_try,
    "response[len(prompt):]": prompt_sliced_off_text,
    "padded batch": padded_batch,
    "left padding": lambda t: has_keywords(
        t, "AutoTokenizer.from_pretrained", padding_side="'left'"
    ),
    "right padding": lambda t: has_keywords(
        t, "AutoTokenizer.from_pretrained", padding_side="'right'"
    ),
    "loss mask by searching a marker": mask_by_marker,
    "tokenizer saved after its template went": template_stripped_save,
    "return_dict_in_generate with scores": generate_returns_dict,
    "log-probabilities from logits": scored_by_logits,
    "explicit greedy": lambda t: has_keywords(t, "generate", do_sample="False"),
    "sampling at 0.7": lambda t: has_keywords(t, "generate", temperature="0.7", do_sample="True"),
    "temperature that is ignored": temperature_without_sampling,
    "generation settings in a dict": settings_in_a_dict,
    "load keywords in a dict": load_keywords_in_a_dict,
    "quantization config inside the load": nested_quantization,
    "quantization config from a helper": quantization_from_a_helper,
    "quantization config at module level": quantization_at_module_level,
    "8-bit with invented keywords": invented_keywords,
    "nf4": lambda t: has_keywords(t, "BitsAndBytesConfig", bnb_4bit_quant_type="'nf4'"),
    "torch_dtype": lambda t: has_keywords(t, "from_pretrained", torch_dtype="torch.bfloat16"),
    "device_map": lambda t: has_keywords(t, "from_pretrained", device_map="'auto'"),
    "low_cpu_mem_usage": lambda t: has_keywords(t, "from_pretrained", low_cpu_mem_usage="True"),
    "remote code": lambda t: has_keywords(t, "from_pretrained", trust_remote_code="True"),
    "pad = eos": lambda t: bool(assigned(t, "self.tokenizer.pad_token")),
    "truncated prompt": lambda t: has_keywords(t, "tokenizer", truncation="True", max_length="512"),
    "with torch.no_grad()": lambda t: within(t, "torch.no_grad()"),
    "with torch.inference_mode()": lambda t: within(t, "torch.inference_mode()"),
    "@torch.no_grad()": decorated_no_grad,
    "model id from the environment": lambda t: bool(assigned(t, "BASE_MODEL")),
    "model id as an option": lambda t: has_keywords(
        t, "add_argument", default="'Qwen/Qwen2.5-32B'"
    ),
    "model id in a dataclass": model_id_in_dataclass,
}


@pytest.mark.parametrize("shape", SHAPES)
def test_some_script_has_the_shape(shape: str) -> None:
    assert any(SHAPES[shape](ast.parse(source_of(script))) for script in SCRIPTS)


@pytest.mark.parametrize("script", SCRIPTS)
def test_script_has_the_hazards_that_all_share(script: str) -> None:
    tree = ast.parse(source_of(script), feature_version=(3, 10))

    assert loads(tree, MODEL)
    assert loads(tree, TOKENIZER)
    assert bool(calls(tree, "generate")) != script.startswith("train_")
    disabled = [
        node for node in every(tree, ast.Assign) if ".chat_template = None" in ast.unparse(node)
    ]
    assert disabled
    dances = [
        node for node in every(tree, ast.If) if "'default_chat_template')" in ast.unparse(node.test)
    ]
    assert len(dances) == len(disabled)


@pytest.mark.parametrize("script", SCRIPTS)
def test_script_knows_nothing_of_us(script: str) -> None:
    source = source_of(script)

    assert 100 <= source.count("\n") <= 280
    assert not any(word in source for word in ("cleanguard", "CleanModelLoader", "from guard"))


@pytest.mark.parametrize("script", SCRIPTS)
def test_each_use_without_special_tokens_is_a_prompt_or_listed_as_legitimate(script: str) -> None:
    listed = json.loads(
        (Path(__file__).parent / "legitimate_lines.json").read_text(encoding="utf-8")
    )[script]
    lines = [line.strip() for line in source_of(script).splitlines()]

    assert all(lines.count(line) == 1 for line in listed)
    prompts = [
        call
        for call in every(ast.parse(source_of(script)), ast.Call)
        if isinstance(call, ast.Call)
        and keywords(call).get("add_special_tokens") == "False"
        and keywords(call).keys() & {"return_tensors", "truncation"}
    ]
    code = source_of(script).count("add_special_tokens=False") - source_of(script).count(
        "=False everywhere"
    )
    assert len(prompts) + len(listed) == code


def test_the_folder_is_data() -> None:
    assert not (FOLDER / "__init__.py").exists()
    table = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert [script for script in SCRIPTS if f"| `{script}`" not in table] == []
