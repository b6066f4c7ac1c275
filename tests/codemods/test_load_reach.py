"""Keywords of loads that say nothing, or that the loader has under another name or by an attribute."""

from __future__ import annotations

import ast

import pytest

HEAD = """\
import torch
from peft import PeftModel
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig

"""


def rewritten(migrate, load, **options):
    plan = migrate(HEAD + load + "\nprint(torch.float16)\n", **options)
    assert plan.refusal is None
    assert plan.manual == (), [site.reason for site in plan.manual]
    text = plan.after.decode()
    ast.parse(text)
    assert migrate(text).after == plan.after
    return text


def call_of(text):
    """The keywords of the one CleanModelLoader call, as written."""
    calls = [
        node
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "CleanModelLoader"
    ]
    assert len(calls) == 1
    return {keyword.arg: ast.unparse(keyword.value) for keyword in calls[0].keywords}


@pytest.mark.parametrize(
    ("keywords", "said", "after"),
    [
        ("use_cache=False if gc else True", {}, "model.config.use_cache = False if gc else True"),
        ("use_cache=not args.gc", {}, "model.config.use_cache = not args.gc"),
        ("use_cache=flag or args.flag", {}, "model.config.use_cache = flag or args.flag"),
        ("use_flash_attention_2=args.flash", {"attn_implementation": "'flash_attention_2' if args.flash else None"}, ""),
        ("use_flash_attention_2=a if b else c", {"attn_implementation": "'flash_attention_2' if (a if b else c) else None"}, ""),
        ("use_flash_attention_2=False", {}, ""),
        ("use_flash_attention_2=True", {"attn_implementation": "'flash_attention_2'"}, ""),
        ("torch_dtype=torch.float16 if half else None", {"dtype": "torch.float16 if half else None"}, ""),
        ("low_cpu_mem_usage=not args.zero", {}, ""),
        ('config=AutoConfig.from_pretrained("gpt2")', {}, ""),
        ('config=AutoConfig.from_pretrained("gpt2", cache_dir=c), cache_dir=c', {"cache_dir": "c"}, ""),
        ("load_in_8bit=True, quantization_config=BitsAndBytesConfig(load_in_8bit=True)", {"load_in_8bit": "True"}, ""),
    ],
)  # fmt: skip
def test_a_keyword_of_the_model(keywords, said, after, migrate):
    text = rewritten(migrate, f'model = AutoModelForCausalLM.from_pretrained("gpt2", {keywords})')
    assert call_of(text) == said
    assert after in text


@pytest.mark.parametrize(
    ("keywords", "reason"),
    [
        ('config=AutoConfig.from_pretrained("gpt2", top_k=5)', "may say something else"),
        ('config=AutoConfig.from_pretrained("gpt2", **more)', "may say something else"),
        ("config=GPT2Config(n_layer=2)", "may say something else"),
        ("config=config", "may say something else"),
        ("load_in_8bit=a, quantization_config=BitsAndBytesConfig(load_in_8bit=True)", "twice"),
        ("torch_dtype=a, dtype=b", "twice"),
        ("trust_remote_code=True", "git ls-remote"),
    ],
)
def test_a_keyword_that_stays(keywords, reason, migrate):
    name = "some/model" if "trust" in keywords else "gpt2"
    plan = migrate(HEAD + f'model = AutoModelForCausalLM.from_pretrained("{name}", {keywords})\n')
    assert not plan.changed
    assert reason in (plan.manual[0].reason or "")


def test_a_pinned_model_may_run_its_code(migrate):
    text = rewritten(
        migrate,
        'model = AutoModelForCausalLM.from_pretrained("some/model", trust_remote_code=True, revision=R)',
    )
    assert call_of(text) == {"trust_remote_code": "True", "revision": "R"}


def test_a_model_that_is_chosen_at_run_time_is_told_about_its_pin(migrate):
    plan = migrate(
        HEAD + "model = AutoModelForCausalLM.from_pretrained(n, trust_remote_code=True)\n"
    )
    told = [note for site in plan.sites for note in site.notes if "trust_remote_code" in note.text]
    assert [(note.kind, "revision" in note.text) for note in told] == [("changed", True)]


NAMED = """\
config = AutoConfig.from_pretrained("gpt2")
{between}
model = AutoModelForCausalLM.from_pretrained("gpt2", config=config)
"""


def test_a_named_config_that_only_the_load_reads_goes_with_it(migrate):
    assert "AutoConfig" not in rewritten(migrate, NAMED.format(between=""))


@pytest.mark.parametrize("between", ["print(config.hidden_size)", "size = config.n_embd"])
def test_a_named_config_that_is_read_stays(between, migrate):
    assert "config = AutoConfig" in rewritten(migrate, NAMED.format(between=between))


@pytest.mark.parametrize(
    "between",
    [
        "config.do_sample = True",
        "change(config)",
        "config.update(given)",
        "setattr(config, name, 1)",
        "if x:\n    config = other",
        "c = config",
    ],
)
def test_a_named_config_that_may_say_how_to_generate_keeps_the_load(between, migrate):
    plan = migrate(HEAD + NAMED.format(between=between))
    assert not plan.changed


# --- tokenizers

TRAINS = "trainer = Trainer(model, tokenizer)\ntrainer.train()\n"


@pytest.mark.parametrize(
    ("keywords", "rest", "line"),
    [
        ('pad_token="<pad>"', "", None),
        ("pad_token=PAD", "", None),
        ("add_eos_token=False", "", None),
        ("add_eos_token=True", "", "tokenizer.add_eos_token = True"),
        ("add_eos_token=True", TRAINS, "tokenizer.add_eos_token = True"),
        ('pad_token="<unk>"', TRAINS, "tokenizer.pad_token = '<unk>'"),
    ],
)
def test_a_keyword_of_the_tokenizer(keywords, rest, line, migrate):
    load = (
        f'tokenizer = AutoTokenizer.from_pretrained("gpt2", {keywords})\n'
        'model = AutoModelForCausalLM.from_pretrained("gpt2")\n'
    )
    text = ast.unparse(ast.parse(rewritten(migrate, load + rest)))
    assert ("add_eos_token" in text or "pad_token" in text) == (line is not None)
    assert line is None or line in text


@pytest.mark.parametrize(
    ("keywords", "rest"),
    [
        ('pad_token="[PAD]"', TRAINS),
        ("pad_token=PAD", TRAINS),
        ("add_eos_token=True", 'print(model(**tokenizer("a", return_tensors="pt")).logits)\n'),
    ],
)
def test_a_keyword_of_the_tokenizer_that_stays(keywords, rest, check_noop):
    check_noop(
        HEAD
        + f'tokenizer = AutoTokenizer.from_pretrained("gpt2", {keywords})\n'
        + 'model = AutoModelForCausalLM.from_pretrained("gpt2")\n'
        + rest
    )


# --- adapters


@pytest.mark.parametrize(
    "keyword", ['device_map={"": 0}', 'device_map="auto"', 'torch_device="cpu"']
)
def test_where_an_adapter_lies_is_the_bases_matter(keyword, migrate):
    text = rewritten(
        migrate,
        'base = AutoModelForCausalLM.from_pretrained("gpt2")\n'
        f'model = PeftModel.from_pretrained(base, "adapter", {keyword})',
    )
    assert 'attach_adapter(base, "adapter")' in text


@pytest.mark.parametrize("name", ["somebody/alpaca-lora-7b", "checkpoints/sft", "./somebody/lora"])
def test_an_adapter_on_the_hub_is_told(name, migrate):
    plan = migrate(
        HEAD
        + 'base = AutoModelForCausalLM.from_pretrained("gpt2")\n'
        + f'model = PeftModel.from_pretrained(base, "{name}", revision=COMMIT)\n'
    )
    assert f'attach_adapter(base, "{name}", revision=COMMIT)'.encode() in plan.after
    notes = [note.text for site in plan.sites for note in site.notes]
    assert any("of the hub" in text for text in notes) is (name == "somebody/alpaca-lora-7b")


@pytest.mark.parametrize(
    "use",
    [
        "model = PeftModel.from_pretrained(base, PATH)",
        "config = PeftConfig.from_pretrained(PATH)",
        "base.load_adapter(PATH)",
        "model = PeftModel.from_pretrained(base, model_id=PATH)",
    ],
)
def test_a_directory_of_an_adapter_is_no_model(use, migrate):
    plan = migrate(
        HEAD.replace("PeftModel", "PeftConfig, PeftModel")
        + f"base = AutoModelForCausalLM.from_pretrained(PATH)\n{use}\n"
    )
    assert not plan.changed
    assert "takes an adapter by the same name" in (plan.manual[0].reason or "")


# --- quantization


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("load_in_4bit=True", {"load_in_4bit": "True", "bnb_4bit_quant_type": "'fp4'", "bnb_4bit_use_double_quant": "False", "bnb_4bit_compute_dtype": "'float32'"}),
        ('load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype=torch.float16', {"load_in_4bit": "True", "bnb_4bit_compute_dtype": "torch.float16"}),
        ('load_in_4bit=True, bnb_4bit_quant_type=t, bnb_4bit_use_double_quant=d, bnb_4bit_compute_dtype=c, bnb_4bit_quant_storage=s', {"load_in_4bit": "True", "bnb_4bit_quant_type": "t", "bnb_4bit_use_double_quant": "d", "bnb_4bit_compute_dtype": "c", "bnb_4bit_quant_storage": "s"}),
        ("load_in_8bit=True, llm_int8_threshold=6.0", {"load_in_8bit": "True"}),
        ("load_in_8bit=True, llm_int8_threshold=4.0, llm_int8_has_fp16_weight=True", {"load_in_8bit": "True", "llm_int8_threshold": "4.0", "llm_int8_has_fp16_weight": "True"}),
        ('load_in_8bit=True, llm_int8_skip_modules=["lm_head"], llm_int8_enable_fp32_cpu_offload=True', {"load_in_8bit": "True", "llm_int8_skip_modules": "['lm_head']", "llm_int8_enable_fp32_cpu_offload": "True"}),
        ('load_in_8bit=True, bnb_4bit_quant_type="nf4"', {"load_in_8bit": "True"}),
        ('load_in_8bit=True, bnb_8bit_quant_type="nf8"', {"load_in_8bit": "True"}),
    ],
)  # fmt: skip
@pytest.mark.parametrize("direct", [True, False])
def test_a_quantization_config_is_said_as_it_was(options, said, direct, migrate):
    config = f"BitsAndBytesConfig({options})"
    made = "" if direct else f"config = {config}\n"
    given = config if direct else "config"
    text = rewritten(
        migrate,
        f'{made}model = AutoModelForCausalLM.from_pretrained("gpt2", quantization_config={given})',
    )
    assert call_of(text) == said
    assert "BitsAndBytesConfig(" not in text


@pytest.mark.parametrize(
    ("before", "options", "said", "told"),
    [
        ("", "", {"load_in_4bit": "True"}, "sets neither flag"),
        ("", "load_in_8bit=False", {"load_in_4bit": "True"}, "sets neither flag"),
        ("", "load_in_4bit=None", {"load_in_4bit": "True"}, "sets neither flag"),
        ("", "load_in_4bit=args.four", {"load_in_4bit": "True"}, "where `args.four` is false"),
        ("", "load_in_8bit=args.eight", {"load_in_8bit": "args.eight", "load_in_4bit": "not args.eight"}, "where `args.eight` is false"),
        ("", "load_in_8bit=bits == 8", {"load_in_8bit": "bits == 8", "load_in_4bit": "not bits == 8"}, "where `bits == 8` is false"),
        ("", "load_in_4bit=bits == 4, load_in_8bit=bits == 8", {"load_in_8bit": "bits == 8", "load_in_4bit": "bits != 8"}, "`bits == 4` is false"),
        ("", "load_in_4bit=a, load_in_8bit=b", {"load_in_8bit": "b", "load_in_4bit": "a or not b"}, "`b` and `a` is false"),
        ("", "load_in_4bit=a if c else d, load_in_8bit=b", {"load_in_8bit": "b", "load_in_4bit": "(a if c else d) or not b"}, "is false"),
        ("EIGHT = True\nEIGHT = flag\n", "load_in_8bit=EIGHT", {"load_in_8bit": "EIGHT", "load_in_4bit": "not EIGHT"}, "where `EIGHT` is false"),
        ("EIGHT = False\n", "load_in_8bit=EIGHT", {"load_in_8bit": "EIGHT", "load_in_4bit": "not EIGHT"}, "where `EIGHT` is false"),
    ],
)  # fmt: skip
def test_a_config_that_may_set_neither_flag_means_4_bit(before, options, said, told, migrate):
    plan = migrate(
        HEAD
        + before
        + f'm = AutoModelForCausalLM.from_pretrained("gpt2", quantization_config=BitsAndBytesConfig({options}))\n'
    )
    call = call_of(plan.after)
    assert {name: call[name] for name in ("load_in_8bit", "load_in_4bit") if name in call} == said
    assert call["bnb_4bit_quant_type"] == "'fp4'"
    [fault] = [n.text for site in plan.sites for n in site.notes if n.kind == "fault"]
    assert told in fault
    assert "4-bit" in fault


def test_a_flag_that_may_not_be_asked_twice_stays(migrate):
    plan = migrate(
        HEAD
        + 'm = AutoModelForCausalLM.from_pretrained("gpt2", quantization_config=BitsAndBytesConfig(load_in_8bit=ask()))\n'
    )
    assert plan.after == plan.before
    assert "asked twice" in plan.manual[0].reason


@pytest.mark.parametrize(
    "keywords",
    [
        'from_tf=bool(".ckpt" in args.path)',
        "from_tf=False, from_flax=flax",
        "offload_state_dict=args.offload",
        "_fast_init=False",
        "ignore_mismatched_sizes=False",
    ],
)
def test_what_transformers_does_not_look_at_goes(keywords, migrate):
    text = rewritten(migrate, f'm = AutoModelForCausalLM.from_pretrained("gpt2", {keywords})')
    assert call_of(text) == {}


def test_what_transformers_does_not_look_at_is_asked_where_asking_does_something(migrate):
    plan = migrate(
        HEAD + 'm = AutoModelForCausalLM.from_pretrained("gpt2", from_tf=converted(path))\n'
    )
    assert plan.after == plan.before


def test_what_a_tokenizer_only_keeps_goes(migrate):
    plan = migrate(
        HEAD
        + 't = AutoTokenizer.from_pretrained("gpt2", fast_tokenizer=True, device_map="auto")\n'
        + 'm = AutoModelForCausalLM.from_pretrained("gpt2")\n'
    )
    assert plan.changed
    assert b"fast_tokenizer" not in plan.after
    assert b"device_map" not in plan.after
    assert any("only keeps it" in n.text for site in plan.sites for n in site.notes)


def test_a_flag_that_is_a_constant_goes(migrate):
    text = rewritten(
        migrate,
        "EIGHT = True\nm = AutoModelForCausalLM.from_pretrained("
        '"gpt2", quantization_config=BitsAndBytesConfig(load_in_8bit=EIGHT))',
    )
    assert call_of(text) == {"load_in_8bit": "EIGHT"}


def test_an_invented_option_is_told(migrate):
    config = "BitsAndBytesConfig(load_in_8bit=True, bnb_8bit_use_double_quant=True, llm_int9=1)"
    plan = migrate(
        HEAD + f'm = AutoModelForCausalLM.from_pretrained("gpt2", quantization_config={config})\n'
    )
    told = [
        note.text
        for site in plan.sites
        for note in site.notes
        if "never had an effect" in note.text
    ]
    assert len(told) == 2


def test_a_list_without_the_head_is_told(migrate):
    config = 'BitsAndBytesConfig(load_in_8bit=True, llm_int8_skip_modules=["x"])'
    plan = migrate(
        HEAD + f'm = AutoModelForCausalLM.from_pretrained("gpt2", quantization_config={config})\n'
    )
    assert any(n.kind == "changed" and "head" in n.text for s in plan.sites for n in s.notes)


@pytest.mark.parametrize(
    "between",
    [
        "config.use_cache = False",
        "if size > getattr(config, 'max_position_embeddings', 0):\n    config.rope_scaling = {'factor': 2.0}",
        "config.attention_dropout = 0.1\nprint(config)",
    ],
)
def test_a_config_that_is_changed_goes_to_the_loader(between, migrate):
    after = migrate(HEAD + NAMED.format(between=between)).after.decode()
    assert "config=config" in after
    assert between in after


def test_another_models_config_goes_to_the_loader(migrate):
    load = (
        HEAD
        + 'model = AutoModelForCausalLM.from_pretrained("gpt2", config=AutoConfig.from_pretrained("gpt2-xl"))\n'
    )
    assert 'config=AutoConfig.from_pretrained("gpt2-xl")' in migrate(load).after.decode()


def test_a_name_that_holds_something_else_after_the_load(migrate):
    source = (
        HEAD
        + NAMED.format(between="config.use_cache = False")
        + "config = LoraConfig(r=8)\nuse(config)\n"
    )
    assert "config=config" in migrate(source).after.decode()


# --- as transformers' own examples load


EXAMPLE = """\
import sys
from transformers import CONFIG_MAPPING, AutoConfig, AutoModelForCausalLM, AutoTokenizer, Trainer

args = sys.argv
kwargs = {"cache_dir": args.cache, "revision": args.revision, "use_auth_token": True if args.token else None}
if args.config_name:
    config = AutoConfig.from_pretrained(args.config_name, **kwargs)
elif args.path:
    config = AutoConfig.from_pretrained(args.path, **kwargs)
else:
    config = CONFIG_MAPPING[args.kind]()
    config.update_from_string(args.overrides)
tokenizer_kwargs = {"cache_dir": args.cache, "use_fast": args.fast, "revision": args.revision}
if args.tokenizer_name:
    tokenizer = AutoTokenizer.from_pretrained(args.tokenizer_name, **tokenizer_kwargs)
elif args.path:
    tokenizer = AutoTokenizer.from_pretrained(args.path, **tokenizer_kwargs)
if args.path:
    model = AutoModelForCausalLM.from_pretrained(args.path, from_tf=bool(".ckpt" in args.path), config=config)
else:
    model = AutoModelForCausalLM.from_config(config)
Trainer(model=model, processing_class=tokenizer).train()
"""


def test_a_config_that_a_condition_keeps_away_from_the_load(migrate):
    plan = migrate(EXAMPLE)
    text = plan.after.decode()
    assert [site.code for site in plan.manual if site.code in ("CG101", "CG102")] == []
    assert "CleanModelLoader(args.path, config=config, for_training=True" in text
    assert text.count("config = ") == EXAMPLE.count("config = ")
    assert "tokenizer_kwargs" not in text
    assert text.count("cache_dir=args.cache") == 2
    ast.parse(text)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("elif args.path:\n    config", "elif args.name:\n    config", "may say something else"),
        ('"use_auth_token": True if args.token else None', '"top_k": 5', "may say something else"),
        ('tokenizer_kwargs = {"cache_dir": args.cache', 'tokenizer_kwargs = {"cache_dir": args.cache()', "`**` arguments"),
        ("if args.tokenizer_name:", "args = other\nif args.tokenizer_name:", "`**` arguments"),
        ("if args.tokenizer_name:", "tokenizer_kwargs['use_fast'] = 1\nif args.tokenizer_name:", "`**` arguments"),
        ("if args.tokenizer_name:", "print(tokenizer_kwargs)\nif args.tokenizer_name:", "`**` arguments"),
    ],
)  # fmt: skip
def test_what_may_be_another_config_or_dict_stays(old, new, reason, migrate):
    assert EXAMPLE.count(old) == 1
    plan = migrate(EXAMPLE.replace(old, new))
    assert b"AutoModelForCausalLM.from_pretrained(" in plan.after
    assert any(reason in (site.reason or "") for site in plan.manual)


SPLITS = """\
import torch
from transformers import AutoModelForCausalLM

def split(folder):
    torch.save({}, f"{folder}/pytorch_model-0.bin")

def apply(path):
    CALL
    return AutoModelForCausalLM.from_pretrained(path)

"""


@pytest.mark.parametrize(("call", "stays"), [("print(path)", False), ("split(path)", True)])
def test_pickles_that_another_function_makes(call, stays, migrate):
    plan = migrate(SPLITS.replace("CALL", call))
    assert any("names pickled weights" in (site.reason or "") for site in plan.manual) is stays
    assert plan.changed is not stays


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ("load_in_4bit=b == 4, load_in_8bit=b == 8", {"load_in_8bit": "b == 8", "load_in_4bit": "b == 4"}),
        ("load_in_4bit=args.four", None),
    ],
)  # fmt: skip
def test_flags_that_the_load_says_itself(flags, said, migrate):
    config = "BitsAndBytesConfig(load_in_4bit=b == 4, load_in_8bit=b == 8)"
    plan = migrate(
        HEAD
        + f'm = AutoModelForCausalLM.from_pretrained("gpt2", {flags}, quantization_config={config})\n'
    )
    if said is None:
        assert "twice" in plan.manual[0].reason
        return
    found = call_of(plan.after)
    assert {name: found[name] for name in said} == said
    assert not any(note.kind == "fault" for site in plan.sites for note in site.notes)


def test_low_cpu_mem_usage_may_ask_deepspeed(migrate):
    text = rewritten(
        migrate,
        "from transformers.integrations import is_deepspeed_zero3_enabled\n"
        'm = AutoModelForCausalLM.from_pretrained("gpt2", low_cpu_mem_usage=not is_deepspeed_zero3_enabled())',
    )
    assert call_of(text) == {}
    assert "is_deepspeed_zero3_enabled" not in str(text)
