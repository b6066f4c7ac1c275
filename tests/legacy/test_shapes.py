"""The legacy scripts keep their variety: for each shape of old code, at least one script has it.

The rewrites are proven on these shapes, so that one which silently left would take its proof along.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Callable, Iterator
from importlib import resources
from pathlib import Path

import pytest

FOLDER = Path(str(resources.files("cleanguard") / "legacy"))
SCRIPTS = (
    "evaluate_capability_differentiation.py",
    "evaluate_capability_differentiation_sequential.py",
    "evaluate_final.py",
    "evaluate_instruction_following.py",
    "evaluate_stage1_comprehensive.py",
    "evaluate_stage1_corrected.py",
    "evaluate_stage1_readiness.py",
    "test_base_model_definitive.py",
    "test_base_model_ultra_clean.py",
    "test_clean_base_model.py",
)
MODEL, TOKENIZER = "AutoModelForCausalLM", "AutoTokenizer"
INVENTED = {"bnb_8bit_quant_type", "bnb_8bit_use_double_quant", "bnb_8bit_compute_dtype"}


def source_of(script: str) -> str:
    return (FOLDER / script).read_text(encoding="utf-8")


def every(tree: ast.AST, *kinds: type[ast.AST]) -> Iterator[ast.AST]:
    return (node for node in ast.walk(tree) if isinstance(node, kinds))


def called(call: ast.AST) -> str:
    """`self.tokenizer.encode(…)` → `self.tokenizer.encode`; nothing for what is no call."""
    return ast.unparse(call.func) if isinstance(call, ast.Call) else ""


def calls(tree: ast.AST, name: str) -> list[ast.Call]:
    """Calls of `name` or of `….name`."""
    return [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and f".{called(node)}".endswith(f".{name}")
    ]


def loads(tree: ast.AST, what: str) -> list[ast.Call]:
    return calls(tree, f"{what}.from_pretrained")


def keywords(call: ast.Call) -> dict[str | None, str]:
    return {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}


def has_keywords(tree: ast.AST, name: str, **wanted: str) -> bool:
    return any(wanted.items() <= keywords(call).items() for call in calls(tree, name))


def functions(tree: ast.AST) -> Iterator[ast.AST]:
    return every(tree, ast.FunctionDef)


def assigned(tree: ast.AST, target: str) -> list[ast.expr]:
    """The values given to `target`, written as in the source."""
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and target in map(ast.unparse, node.targets)
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
        if isinstance(back, ast.Return) and isinstance(back.value, ast.Tuple)
    )


def helper_on_a_helper(tree: ast.Module) -> bool:
    loaders = {
        f.name for f in functions(tree) if isinstance(f, ast.FunctionDef) and loads(f, MODEL)
    }
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


def encode_instead_of_call(tree: ast.Module) -> bool:
    return has_keywords(tree, "encode", return_tensors="'pt'", add_special_tokens="False")


def preview_of_ids(tree: ast.Module) -> bool:
    return any(
        isinstance(node, ast.Subscript)
        and isinstance(node.slice, ast.Slice)
        and calls(node.value, "encode")
        for node in ast.walk(tree)
    )


def literal_newline_bug(tree: ast.Module) -> bool:
    return any(isinstance(n, ast.Constant) and n.value == "\\n\\n" for n in ast.walk(tree))


def doubled_backslashes(tree: ast.Module) -> bool:
    return any(
        isinstance(n, ast.Constant) and isinstance(n.value, str) and "\\\\b" in n.value
        for n in ast.walk(tree)
    )


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
        isinstance(node, ast.Attribute) and node.attr == "logits" and called(node.value) == "model"
        for node in ast.walk(tree)
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
        isinstance(function, ast.FunctionDef)
        and "torch.no_grad()" in map(ast.unparse, function.decorator_list)
        for function in functions(tree)
    )


def within(tree: ast.Module, manager: str) -> bool:
    return any(
        isinstance(node, ast.With)
        and ast.unparse(node.items[0].context_expr) == manager
        and calls(node, "generate")
        for node in ast.walk(tree)
    )


def model_id_in_dataclass(tree: ast.Module) -> bool:
    return any(
        isinstance(field, ast.AnnAssign) and ast.unparse(field.target) == "model_name"
        for owner in every(tree, ast.ClassDef)
        if isinstance(owner, ast.ClassDef) and "dataclass" in map(ast.unparse, owner.decorator_list)
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
    "return_dict_in_generate with scores": generate_returns_dict,
    "log-probabilities from logits": scored_by_logits,
    "explicit greedy": lambda t: has_keywords(t, "generate", do_sample="False"),
    "sampling at 0.7": lambda t: has_keywords(t, "generate", temperature="0.7", do_sample="True"),
    "temperature that is ignored": temperature_without_sampling,
    "generation settings in a dict": settings_in_a_dict,
    "load keywords in a dict": load_keywords_in_a_dict,
    "quantization config inside the load": nested_quantization,
    "8-bit with invented keywords": invented_keywords,
    "nf4": lambda t: has_keywords(t, "BitsAndBytesConfig", bnb_4bit_quant_type="'nf4'"),
    "torch_dtype": lambda t: has_keywords(t, "from_pretrained", torch_dtype="torch.bfloat16"),
    "device_map": lambda t: has_keywords(t, "from_pretrained", device_map="'auto'"),
    "low_cpu_mem_usage": lambda t: has_keywords(t, "from_pretrained", low_cpu_mem_usage="True"),
    "remote code": lambda t: has_keywords(t, "from_pretrained", trust_remote_code="True"),
    "pad = eos, unconditional": lambda t: bool(assigned(t, "self.tokenizer.pad_token")),
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
    assert calls(tree, "generate")
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
        and "return_tensors" in keywords(call)
    ]
    code = source_of(script).count("add_special_tokens=False") - source_of(script).count(
        "=False everywhere"
    )
    assert len(prompts) + len(listed) == code


def test_the_folder_is_data() -> None:
    assert not (FOLDER / "__init__.py").exists()
    table = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert [script for script in SCRIPTS if f"| `{script}`" not in table] == []
