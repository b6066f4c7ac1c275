"""What stands around a load, in the script and in other files: held back, told, or kept as it was."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from codemods.migration import Migration
from tests.codemods.plans import planned

Migrate = Callable[[str], Migration]
IMPORTS = (
    "import sys\nfrom transformers import AutoModelForCausalLM, AutoTokenizer, LlamaForCausalLM\n"
)
LOADS = f"""{IMPORTS}
tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
model = AutoModelForCausalLM.from_pretrained(sys.argv[1])
"""
ASKS = """\
enc = tokenizer(sys.argv[2], return_tensors="pt")
out = model.generate(**enc, max_new_tokens=4, do_sample=False)
print(tokenizer.decode(out[0], skip_special_tokens=True))
"""


def notes_of(plan: Migration) -> list[str]:
    return [note.text for site in plan.sites for note in site.notes]


def reasons_of(plan: Migration) -> str:
    return "\n".join(site.reason or "" for site in plan.manual)


PADS = "def score(model, tok, texts):\n    return model(**tok(texts, padding=True, return_tensors='pt')).logits\n"
DRAWS = "import torch\n\ndef score(model, tok, texts):\n    return model(input_ids=torch.randint(0, 9, (1, 5))).logits\n"
READS = (
    "def score(model, tok, texts):\n    return model(**tok(texts[0], return_tensors='pt')).logits\n"
)


@pytest.mark.parametrize(("does", "held"), [(PADS, True), (DRAWS, True), (READS, False)])
@pytest.mark.parametrize("called", ["TABLE[sys.argv[2]]", "score"])
def test_a_function_that_comes_out_of_a_table(
    tmp_path: Path, does: str, held: bool, called: str
) -> None:
    main = f"{LOADS}from measures import score\nTABLE = {{'a': score}}\nmeasure = {called}\n"
    main += "print(measure(model, tokenizer, ['a', 'b c']))\n"
    plan = planned(tmp_path, {"main.py": main, "measures.py": does})["main.py"]
    assert bool(plan.manual) is held
    assert ("`measure` of another file gets the model" in reasons_of(plan)) is held


TOKENIZER = "import sys\nfrom transformers import LlamaTokenizer\n\ndef build(path):\n    tokenizer = LlamaTokenizer.from_pretrained(path)\n"


@pytest.mark.parametrize(
    ("taker", "held"),
    [
        ("from rows import build\nprint(build('a')(['a', 'b'], padding=True))\n", True),
        ("from rows import build\nprint(build('a').pad_token_id)\n", True),
        ("from rows import build\nprint(build('a')('a'), 1)\n", False),
        ("import torch\nprint(torch.nn.Conv1d(1, 1, 3, padding=1))\n", False),
    ],
)
@pytest.mark.parametrize("left", [False, True])
def test_a_tokenizer_that_another_file_pads_with(
    tmp_path: Path, taker: str, held: bool, left: bool
) -> None:
    side = "    tokenizer.padding_side = 'left'\n" if left else ""
    texts = {"rows.py": f"{TOKENIZER}{side}    return tokenizer\n", "main.py": taker}
    plan = planned(tmp_path, texts)["rows.py"]
    assert bool(plan.manual) is (held and not left)
    assert ("main.py takes the tokenizer" in reasons_of(plan)) is (held and not left)


@pytest.mark.parametrize(("value", "held"), [("sys.argv[2]", True), ("None", False)])
def test_a_chat_template_that_is_set_for_others(tmp_path: Path, value: str, held: bool) -> None:
    rows = f"{TOKENIZER}    tokenizer.chat_template = {value}\n    return tokenizer\n"
    texts = {"rows.py": rows, "main.py": "from rows import build\nprint(build('a')('a'))\n"}
    plan = planned(tmp_path, texts)["rows.py"]
    assert ("sets a chat template" in reasons_of(plan)) is held
    assert plan.changed is not held


def test_a_generation_whose_model_may_be_the_one_that_is_loaded(migrate: Migrate) -> None:
    pipeline = "class Asks:\n    def ask(self, **ids):\n        return self.model.generate(**ids, max_new_tokens=4)\n"
    load = f"{IMPORTS}\ndef load(path):\n    return AutoModelForCausalLM.from_pretrained(path)\n\n"
    plan = migrate(load + pipeline)
    assert not plan.changed
    assert "generates with what the model was put into" in reasons_of(plan)


@pytest.mark.parametrize(
    ("trained", "evaluates"),
    [
        ("model.train()", False),
        ("model.train(True)", False),
        ("other.train(sys.flags.dev_mode)", True),
        ("model.train(mode=sys.flags.dev_mode)", True),
        ("", True),
    ],
)
def test_train_of_something_else_sets_no_mode(
    trained: str, evaluates: bool, migrate: Migrate
) -> None:
    loop = f"other = sys.modules\n{trained}\nloss = model(**sys.argv[2]).loss\nloss.backward()\nsys.argv[3].step()\n"
    text = migrate(LOADS + loop).after.decode()
    assert "for_training=True" in text
    assert ("model.eval()" in text) is evaluates


def test_a_class_that_the_model_may_not_have_is_told(migrate: Migrate) -> None:
    told = "the model's config names the class, whatever it is; the script said `LlamaForCausalLM`"
    llama = LOADS.replace("AutoModelForCausalLM.from", "LlamaForCausalLM.from")
    assert told in notes_of(migrate(llama))
    assert told not in notes_of(migrate(llama.replace("sys.argv[1]", '"huggyllama/llama-7b"')))
    assert told not in notes_of(migrate(LOADS))


@pytest.mark.parametrize(("name", "told"), [("sys.argv[1]", True), ('"Qwen/Qwen2.5-0.5B"', False)])
def test_a_prompt_that_spells_bos_is_told(name: str, told: bool, migrate: Migrate) -> None:
    plan = migrate(LOADS.replace("sys.argv[1]", name) + ASKS)
    assert plan.manual == ()
    assert any("a prompt that spells BOS is refused" in text for text in notes_of(plan)) is told


@pytest.mark.parametrize("lacks", [True, False])
def test_missing_bos_is_told_only_where_it_is_refused(lacks: bool, migrate: Migrate) -> None:
    ids = "ids = tokenizer(sys.argv[2], return_tensors='pt').input_ids\n"
    ids += "ids = ids[:, 1:]\n" if lacks else ""
    plan = migrate(
        f"{LOADS}{ids}out = model.generate(ids, max_new_tokens=4, do_sample=False)\nprint(out)\n"
    )
    text = plan.after.decode()
    assert "generate_ids(" in text
    assert ("allow_missing_bos=True" in text) is lacks
    assert any("ids that lack the BOS" in one for one in notes_of(plan)) is not lacks


def test_ids_of_another_file_may_lack_bos_whatever_the_default_model(tmp_path: Path) -> None:
    main = f"""{IMPORTS}from argparse import ArgumentParser
from rows import ids_of
parser = ArgumentParser()
parser.add_argument("--model", default="EleutherAI/pythia-70m")
args = parser.parse_args()
tokenizer = AutoTokenizer.from_pretrained(args.model)
model = AutoModelForCausalLM.from_pretrained(args.model)
ids = ids_of(tokenizer)
print(model(ids).logits)
"""
    rows = "def ids_of(tok):\n    return tok('a', add_special_tokens=False, return_tensors='pt').input_ids\n"
    plan = planned(tmp_path, {"main.py": main, "rows.py": rows})["main.py"]
    assert b"allow_missing_bos=True" in plan.after


@pytest.mark.parametrize(
    ("other", "asks"), [("MODEL = 'lmsys/vicuna-7b-v1.5'\n", True), ("MODEL = 'gpt2'\n", False)]
)
@pytest.mark.parametrize("imports", [True, False])
def test_a_chat_model_that_is_a_default_elsewhere(
    tmp_path: Path, other: str, asks: bool, imports: bool
) -> None:
    load = f"{IMPORTS}\ndef load(path):\n    return AutoModelForCausalLM.from_pretrained(path)\n"
    texts = {"loads.py": load, "other.py": other}
    if imports:
        texts["loads.py"] = f"from other import MODEL\n{load}"
    else:
        texts["other.py"] = f"from loads import load\n{other}load(MODEL)\n"
    plan = planned(tmp_path, texts)["loads.py"]
    assert (b"allow_chat_model=True" in plan.after) is asks


@pytest.mark.parametrize(
    ("handler", "inside"), [("raise ValueError('no')", True), ("pass", False), ("return 0", True)]
)
def test_an_import_in_a_try_of_a_function_stays_there(
    handler: str, inside: bool, migrate: Migrate
) -> None:
    text = f"""
def count(text):
    try:
        from transformers import GPT2TokenizerFast
    except ImportError:
        {handler}
    tokenizer = GPT2TokenizerFast.from_pretrained("gpt2")
    return len(tokenizer.tokenize(text))
"""
    after = migrate(text).after.decode()
    assert ("        from guard import CleanModelLoader" in after) is inside
    assert ("\nfrom guard import" in after or after.startswith("from guard import")) is not inside


def test_the_comment_of_an_argument_is_written_once(migrate: Migrate) -> None:
    text = f"""{LOADS}
enc = tokenizer(sys.argv[2], return_tensors="pt")
out = model.generate(
    enc.input_ids,
    max_new_tokens=5,
    do_sample=False, # the default is True
)
print(tokenizer.batch_decode(
    out, skip_special_tokens=True,
    clean_up_tokenization_spaces=False
)[0])
"""
    assert migrate(text).after.decode().count("# the default is True") == 1


def test_methods_of_an_object_are_not_those_of_what_holds_it(tmp_path: Path) -> None:
    main = f"""{LOADS}
from measures import score

class Holds:
    def __init__(self, model):
        self.score = score(1, 2, 3)
        self.register(model)

Holds(model)
"""
    plan = planned(tmp_path, {"main.py": main, "measures.py": PADS})["main.py"]
    assert "register" not in reasons_of(plan)
    used = main.replace("self.register(model)", "self.score.register(model)")
    plan = planned(tmp_path, {"main.py": used, "measures.py": PADS})["main.py"]
    assert "`self.score.register` of another file gets the model" in reasons_of(plan)


def test_a_file_may_be_called_like_a_part_of_a_library(tmp_path: Path) -> None:
    main = f"from peft.utils import _get_submodules\n{LOADS}print(_get_submodules(model, 'a'))\n"
    plan = planned(tmp_path, {"main.py": main, "utils.py": PADS})["main.py"]
    assert plan.manual == ()
    own = {"main.py": main, "peft/utils.py": PADS, "peft/__init__.py": ""}
    (tmp_path / "peft").mkdir()
    assert "`_get_submodules` of another file" in reasons_of(planned(tmp_path, own)["main.py"])


TRAINS = "\nfrom transformers import Trainer\nTrainer(model=model, train_dataset=rows, compute_metrics=compute_metrics).train()\n"


@pytest.mark.parametrize(
    ("name", "skips", "held"),
    [("rows", "", True), ("rows", ", skip_special_tokens=True", False), ("compute_metrics", "", False)],
)  # fmt: skip
def test_rows_of_a_training_that_are_decoded_with_their_bos(
    name: str, skips: str, held: bool, migrate: Migrate
) -> None:
    decoded = f"[tokenizer.decode(tokenizer.encode(t){skips}) for t in x['text']]"
    plan = migrate(f"{LOADS}\ndef {name}(x):\n    return {decoded}\n{TRAINS}")
    assert ("decodes with its BOS" in reasons_of(plan)) is held
    assert any(site.code == "CG101" for site in plan.automatic) is not held


def test_a_pass_before_a_trainer_is_in_evaluation_mode(migrate: Migrate) -> None:
    train = (
        f"{LOADS}\nfrom transformers import Trainer\nTrainer(model, train_dataset=rows).train()\n"
    )
    assert b"model.eval()" not in migrate(train).after
    scored = train.replace(
        "Trainer(model,", 'print(model(**tokenizer("a", return_tensors="pt")))\nTrainer(model,'
    )
    assert b"model.eval()" in migrate(scored).after


@pytest.mark.parametrize(("given", "held"), [("", True), ("processing_class=tokenizer, ", False)])
def test_a_folder_into_which_a_trainer_saves_no_tokenizer(
    given: str, held: bool, migrate: Migrate
) -> None:
    train = f"from transformers import Trainer\ntrainer = Trainer(model=model, {given}train_dataset=rows)\n"
    save = "trainer.save_model(FOLDER)\nagain = LlamaForCausalLM.from_pretrained(FOLDER)\n"
    plan = migrate(f"{LOADS}\n{train}{save}")
    assert ("writes its folder without a tokenizer" in reasons_of(plan)) is held


def test_the_import_stands_behind_what_is_set_for_the_libraries(migrate: Migrate) -> None:
    text = f"""import os
from tokenizers import Tokenizer

os.environ["HF_HOME"] = "/tmp/x"
from transformers import AutoModelForCausalLM, AutoTokenizer

print(Tokenizer, AutoModelForCausalLM)
{LOADS.partition("Trainer")[2] if "Trainer" in LOADS else LOADS.split("LlamaForCausalLM")[1]}"""
    after = migrate(text.replace("sys.argv[1]", "'gpt2'")).after.decode()
    assert after.index("os.environ") < after.index("from guard import CleanModelLoader")


@pytest.mark.parametrize(
    ("end", "told"),
    [
        ("del model\n", True),
        ("del tokenizer, model\n", True),
        ("del model\nimport gc\ngc.collect()\n", False),
        ("del enc\n", False),
    ],
)
def test_a_model_that_is_deleted_is_told(end: str, told: bool, migrate: Migrate) -> None:
    plan = migrate(LOADS + ASKS + end)
    assert any("freed when the garbage collector" in text for text in notes_of(plan)) is told


@pytest.mark.parametrize(
    ("written", "held"),
    [("pickle.dump(tokenizer, sys.stdout)", True), ("pickle.dump(enc, sys.stdout)", False)],
)
def test_a_tokenizer_that_is_pickled(written: str, held: bool, migrate: Migrate) -> None:
    plan = migrate(f"import pickle\n{LOADS}{ASKS}{written}\n")
    assert ("pickles what may be the tokenizer" in reasons_of(plan)) is held


def test_a_class_of_another_kind_of_tokenizer_stays(migrate: Migrate) -> None:
    text = LOADS.replace("LlamaForCausalLM", "FSMTTokenizer").replace(
        "AutoTokenizer.from", "FSMTTokenizer.from"
    )
    plan = migrate(text)
    assert b"FSMTTokenizer.from_pretrained" in plan.after
    named = LOADS.replace("LlamaForCausalLM", "GPTNeoXTokenizerFast").replace(
        "AutoTokenizer.from", "GPTNeoXTokenizerFast.from"
    )
    told = "the tokenizer's files name its class; the script said `GPTNeoXTokenizerFast`"
    assert told in notes_of(migrate(named))


def test_a_tokenizer_that_an_option_may_name_is_none_of_the_models(migrate: Migrate) -> None:
    other = LOADS.replace("tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])", "")
    other += "tokenizer = AutoTokenizer.from_pretrained(sys.argv[2] if len(sys.argv) > 2 else sys.argv[1])\n"
    assert any("must hold a tokenizer" in text for text in notes_of(migrate(other)))
    assert not any("must hold a tokenizer" in text for text in notes_of(migrate(LOADS)))


def test_a_pad_token_that_is_read_before_it_is_set_is_told(migrate: Migrate) -> None:
    trains = "from transformers import Trainer\nTrainer(model=model).train()\n"
    read, sets = "print(tokenizer.pad_token_id)\n", "tokenizer.pad_token_id = 0\n"
    told = "is read here: it is the guard's now"
    assert any(told in text for text in notes_of(migrate(LOADS + read + sets + trains)))
    assert not any(told in text for text in notes_of(migrate(LOADS + sets + read + trains)))


def test_a_file_that_defines_a_trainer_trains(migrate: Migrate) -> None:
    trainer = "from transformers import Trainer as Theirs\nclass Mine(Theirs):\n    def prediction_step(self, *a):\n        return self.evaluate(*a)\n"
    plain = trainer.replace("Theirs", "Their_Trainer")
    assert b"for_training=True" in migrate(LOADS + plain).after


def test_a_file_that_pads_with_what_is_loaded_is_told(tmp_path: Path) -> None:
    load = f"{IMPORTS}\ndef load(path):\n    return AutoModelForCausalLM.from_pretrained(path), AutoTokenizer.from_pretrained(path)\n"
    main = (
        "from loads import load\nmodel, tok = load('a')\nprint(tok(['a', 'b c'], padding=True))\n"
    )
    told = "`main.py` may pad with what is loaded here"
    plan = planned(tmp_path, {"loads.py": load, "main.py": main})["loads.py"]
    assert any(told in text for text in notes_of(plan)) or plan.manual
    plain = main.replace(", padding=True", "")
    plan = planned(tmp_path, {"loads.py": load, "main.py": plain})["loads.py"]
    assert not any(told in text for text in notes_of(plan))


@pytest.mark.parametrize("collator", ["DataCollatorWithPadding", "DataCollatorForSeq2Seq"])
@pytest.mark.parametrize("left", [False, True])
def test_rows_of_a_collator_that_are_scored(migrate: Migrate, collator: str, left: bool) -> None:
    loads = LOADS + ('tokenizer.padding_side = "left"\n' if left else "")
    rows = f"collate = {collator}(tokenizer)\nrows = collate([tokenizer('a'), tokenizer('b c')])\n"
    plan = migrate(
        f"from transformers import {collator}\n{loads}{rows}print(model(**rows).logits)\n"
    )
    assert ("a Trainer or collator pads rows that are scored" in reasons_of(plan)) is not left


RENDERS = (
    "def ask(tok, text):\n    return tok.apply_chat_template([{'role': 'user', 'content': text}])\n"
)
BEGINS = "def build(tok, text):\n    return tok.bos_token + text\n"
SAYS_CHAT = 'ROWS = ["<|im_start|>user\\nHi<|im_end|>"]\n'
PLAIN = "def build(tok, text):\n    return text.strip()\n"


@pytest.mark.parametrize(
    ("does", "name", "reason"),
    [
        (RENDERS, "ask", "rows renders a chat template"),
        (BEGINS, "build", "rows may put BOS before what is scored"),
        (SAYS_CHAT, "ROWS", "rows.py writes a chat format"),
        (PLAIN, "build", None),
    ],
)
def test_what_another_file_makes_of_what_is_scored(
    tmp_path: Path, does: str, name: str, reason: str | None
) -> None:
    main = f"{LOADS}from rows import {name}\nprint({name})\n"
    main += "enc = tokenizer(sys.argv[2], return_tensors='pt')\nprint(model(**enc).logits)\n"
    plan = planned(tmp_path, {"main.py": main, "rows.py": does})["main.py"]
    assert bool(plan.manual) is (reason is not None)
    assert reason is None or reason in reasons_of(plan)


@pytest.mark.parametrize("listed", [False, True])
def test_a_config_that_a_module_exports_stays(migrate: Migrate, listed: bool) -> None:
    config = "bnb = BitsAndBytesConfig(load_in_8bit=True)\n"
    loads = LOADS.replace("(sys.argv[1])\n", "(sys.argv[1], quantization_config=bnb)\n")
    loads = loads.replace(
        "AutoTokenizer.from_pretrained(sys.argv[1], quantization_config=bnb)",
        "AutoTokenizer.from_pretrained(sys.argv[1])",
    )
    start = "from transformers import BitsAndBytesConfig\n" + (
        '__all__ = ["bnb", "model"]\n' if listed else ""
    )
    after = migrate(start + config + loads + ASKS).after.decode()
    assert "load_in_8bit=True)\nmodel, tokenizer" in after
    assert (config in after) is listed


def test_an_else_that_is_taken_now_is_told(migrate: Migrate) -> None:
    tests = "if tokenizer.pad_token is None:\n    tokenizer.pad_token = tokenizer.eos_token\nelse:\n    print(1)\n"
    notes = notes_of(migrate(LOADS + tests + ASKS))
    assert any("`if tokenizer.pad_token is None` no longer holds" in text for text in notes)


def test_a_model_that_comes_back_by_another_name_may_get_rows_without_bos(
    tmp_path: Path,
) -> None:
    swaps = "def swap(model):\n    model.lm_head.bias = None\n    return model\n"
    main = LOADS.replace("sys.argv[1]", '"meta-llama/Llama-2-7b-hf"')
    main += """\
from swaps import swap

class Evaluator:
    def __init__(self, tokenizer):
        self.rows = tokenizer("a b c d", return_tensors="pt").input_ids

    def evaluate(self, model):
        return [model(self.rows[:, at * 2 : (at + 1) * 2]).logits for at in range(2)]

evaluator = Evaluator(tokenizer)
print(evaluator.evaluate(model))
other = AutoModelForCausalLM.from_pretrained("meta-llama/Llama-2-7b-hf")
swapped = swap(other)
print(evaluator.evaluate(swapped))
"""
    plan = planned(tmp_path, {"main.py": main, "swaps.py": swaps})["main.py"]
    after = plan.after.decode()
    assert after.count("allow_missing_bos=True") == after.count("CleanModelLoader(")


def test_turns_of_moss_in_a_training_stay(migrate: Migrate) -> None:
    trains = (
        "from transformers import Trainer\n"
        + LOADS
        + "Trainer(model=model, train_dataset=rows).train()\n"
    )
    assert migrate(trains + 'END = "</s>"\n').changed
    plan = migrate(trains + 'END = "<eoh>"\n')
    assert not plan.changed
    assert "it writes turns of a chat" in reasons_of(plan)


def test_an_engine_around_the_model_stays(migrate: Migrate) -> None:
    engine = "import deepspeed\nmodel = deepspeed.init_inference(model, replace_with_kernel_inject=True)\n"
    plan = migrate(LOADS + engine + ASKS)
    assert not plan.changed
    assert "DeepSpeed puts an engine around the model" in reasons_of(plan)


def test_what_only_the_tokenizers_load_said_is_told(migrate: Migrate) -> None:
    loads = LOADS.replace("(sys.argv[1])\n", "(sys.argv[1], local_files_only=True)\n", 1)
    said = [text for text in notes_of(migrate(loads + ASKS)) if "holds for the weights too" in text]
    assert len(said) == 1
    assert not any("weights too" in text for text in notes_of(migrate(LOADS + ASKS)))


def test_a_parameter_of_another_function_names_another_folder(migrate: Migrate) -> None:
    two = f"""{IMPORTS}

def subtract(path):
    return AutoModelForCausalLM.from_pretrained(path)


def recover(path):
    return AutoModelForCausalLM.from_pretrained(path), AutoTokenizer.from_pretrained(path)
"""
    told = [text.startswith("the model's folder must hold") for text in notes_of(migrate(two))]
    assert sum(told) == 1
