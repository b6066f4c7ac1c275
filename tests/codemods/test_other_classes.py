"""Loads through classes that the loader does not stand for stay as they are."""

from __future__ import annotations

import pytest

from cleanguard.files import SourceFile
from cleanguard.settings.config import Settings
from codemods.planning import Planner

AT_RUN_TIME = "the class is chosen at run time: "
CAUSAL_OR_NOT = f"{AT_RUN_TIME}`AutoModelForCausalLM` or `AutoModelForSeq2SeqLM`"
SEVERAL = """\
import transformers
from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM, GPT2LMHeadModel

"""
OWN = "`Steered` is a class of your own; the loader would load the stock one"
VALUE_HEAD = (
    "`AutoModelForCausalLMWithValueHead` puts a value head on the model, the loader does not"
)
ADAPTER = (
    "`AutoPeftModelForCausalLM` loads an adapter: load the base by its name, then `attach_adapter`"
)


def reasons(plan, code="CG101"):
    return [site.reason for site in plan.sites if site.code == code]


@pytest.mark.parametrize(
    ("before", "reason"),
    [
        pytest.param(
            """\
from transformers import LlamaForCausalLM


class Steered(LlamaForCausalLM):
    def generate(self, *args, **kwargs):
        return super().generate(*args, **kwargs)


model = Steered.from_pretrained("meta-llama/Llama-3.1-8B")
""",
            OWN,
            id="a subclass of the script that generates in its own way",
        ),
        pytest.param(
            """\
from transformers import GPT2LMHeadModel

if STEER:
    class Steered(GPT2LMHeadModel):
        pass
else:
    Steered = GPT2LMHeadModel
model = Steered.from_pretrained("gpt2")
""",
            OWN,
            id="a subclass on a condition",
        ),
        pytest.param(
            """\
from trl import AutoModelForCausalLMWithValueHead

model = AutoModelForCausalLMWithValueHead.from_pretrained("gpt2")
""",
            VALUE_HEAD,
            id="a value head",
        ),
        pytest.param(
            """\
from trl import AutoModelForCausalLMWithValueHead


def wrap(model):
    return AutoModelForCausalLMWithValueHead.from_pretrained(model)
""",
            VALUE_HEAD,
            id="a value head around a model",
        ),
        pytest.param(
            """\
from heads.ilql import AutoModelForCausalLMWithILQLHeads

model = AutoModelForCausalLMWithILQLHeads.from_pretrained("gpt2")
""",
            "`AutoModelForCausalLMWithILQLHeads` may be a class of your own; the loader would load the stock one",
            id="an automatic class of somebody's own",
        ),
        pytest.param(
            """\
from sparse.models import LlamaForCausalLM_Sparse

model = LlamaForCausalLM_Sparse.from_pretrained("huggyllama/llama-7b")
""",
            "`LlamaForCausalLM_Sparse` may be a class of your own; the loader would load the stock one",
            id="a class with more in its name",
        ),
        pytest.param(
            """\
from transformers import AutoModelForCausalLM


def load(model_class, name):
    return model_class.from_pretrained(name)
""",
            f"{AT_RUN_TIME}`model_class`",
            id="a class that a caller passes",
        ),
        pytest.param(
            """\
from peft import AutoPeftModelForCausalLM

model = AutoPeftModelForCausalLM.from_pretrained("./adapter")
model = model.merge_and_unload()
""",
            ADAPTER,
            id="an adapter",
        ),
        pytest.param(
            """\
from unsloth import FastLanguageModel

model, tokenizer = FastLanguageModel.from_pretrained("gpt2", load_in_4bit=True)
""",
            "`FastLanguageModel` gives the model and its tokenizer together, as its library changes them",
            id="a model with its tokenizer",
        ),
        pytest.param(
            SEVERAL
            + """\
CLASSES = {"a": (1, AutoModelForCausalLM), "b": (2, AutoModelForSeq2SeqLM)}
size, cls = CLASSES[KIND]
model = cls.from_pretrained("gpt2")
""",
            CAUSAL_OR_NOT,
            id="unpacked from a dict",
        ),
        pytest.param(
            SEVERAL
            + """\
size, cls = find() if FIND else (1, AutoModelForCausalLM)
model = cls.from_pretrained("gpt2")
""",
            f"{AT_RUN_TIME}`cls`",
            id="unpacked from what cannot be seen",
        ),
        pytest.param(
            SEVERAL
            + """\
def load(path, is_encoder_decoder):
    cls = AutoModelForSeq2SeqLM if is_encoder_decoder else AutoModelForCausalLM
    return cls.from_pretrained(path)
""",
            CAUSAL_OR_NOT,
            id="a conditional expression",
        ),
        pytest.param(
            SEVERAL
            + """\
def load(path, is_encoder_decoder):
    if is_encoder_decoder:
        cls = AutoModelForSeq2SeqLM
    else:
        cls = transformers.AutoModelForCausalLM
    return cls.from_pretrained(path)
""",
            CAUSAL_OR_NOT,
            id="two branches",
        ),
        pytest.param(
            SEVERAL
            + """\
CLASSES = {"decoder": AutoModelForCausalLM, "both": AutoModelForSeq2SeqLM}
model = CLASSES[KIND].from_pretrained("gpt2")
""",
            CAUSAL_OR_NOT,
            id="a dict of classes",
        ),
        pytest.param(
            SEVERAL
            + """\
class Job:
    def __init__(self, both):
        self.cls = AutoModelForSeq2SeqLM if both else AutoModelForCausalLM

    def load(self):
        return self.cls.from_pretrained("gpt2")
""",
            CAUSAL_OR_NOT,
            id="an attribute",
        ),
        pytest.param(
            SEVERAL
            + """\
load = AutoModelForCausalLM.from_pretrained
if BOTH:
    load = AutoModelForSeq2SeqLM.from_pretrained
model = load("gpt2")
""",
            CAUSAL_OR_NOT,
            id="two methods",
        ),
        pytest.param(
            SEVERAL
            + """\
def load(path, cls=AutoModelForCausalLM):
    return cls.from_pretrained(path)
""",
            f"{AT_RUN_TIME}`cls`",
            id="a parameter",
        ),
        pytest.param(
            SEVERAL
            + """\
cls = AutoModelForCausalLM
if find():
    cls = find()
model = cls.from_pretrained("gpt2")
""",
            f"{AT_RUN_TIME}`cls`",
            id="what cannot be seen",
        ),
        pytest.param(
            SEVERAL
            + """\
from mine import Model

model = (Model if MINE else AutoModelForCausalLM).from_pretrained("gpt2")
""",
            f"{AT_RUN_TIME}`AutoModelForCausalLM` or `Model`",
            id="a class of another file",
        ),
        pytest.param(
            SEVERAL
            + """\
for cls in (AutoModelForCausalLM, AutoModelForSeq2SeqLM):
    model = cls.from_pretrained("gpt2")
""",
            f"{AT_RUN_TIME}`cls`",
            id="a loop over classes",
        ),
        pytest.param(
            """\
from peft import AutoPeftModelForCausalLM
from transformers import AutoModelForCausalLM

cls = AutoPeftModelForCausalLM if TUNED else AutoModelForCausalLM
model = cls.from_pretrained(PATH)
""",
            ADAPTER,
            id="an adapter or not",
        ),
    ],
)
def test_other_models_stay(before, reason, check_noop):
    assert reasons(check_noop(before)) == [reason]


@pytest.mark.parametrize(
    "again",
    [
        pytest.param("with find() as cls: ...", id="with"),
        pytest.param("cls: type = find()", id="annotated"),
        pytest.param("cls |= find()", id="augmented"),
        pytest.param("[cls for cls in find()]", id="a comprehension, to be on the safe side"),
        pytest.param("*_, cls = find()", id="a star"),
        pytest.param("_, cls = find()", id="unpacked"),
        pytest.param("_, cls = 1, *find()", id="unpacked stars"),
        pytest.param("cls = find()[0]", id="a member"),
        pytest.param("cls = CLASSES[0]", id="a member of what nothing defines"),
        pytest.param("cls = find.cls", id="an attribute of what nothing defines"),
        pytest.param("cls = find.cls\nfind.cls = find()", id="an attribute"),
        pytest.param("cls = lambda: None", id="a lambda"),
        pytest.param("def cls(): ...", id="a function"),
        pytest.param("(cls := find())", id="a walrus"),
    ],
)
def test_what_else_a_name_may_be(again, check_noop):
    before = f"{SEVERAL}cls = AutoModelForCausalLM\nif FIND:\n    {again.replace(chr(10), chr(10) + '    ')}\n"
    plan = check_noop(f'{before}model = (cls or AutoModelForCausalLM).from_pretrained("gpt2")\n')
    assert reasons(plan) == [f"{AT_RUN_TIME}`cls or AutoModelForCausalLM`"]


def test_a_processor_is_no_partner(migrate):
    plan = migrate(
        """\
from transformers import AutoModelForCausalLM, AutoProcessor, AutoTokenizer

tokenizer = (AutoProcessor if VLM else AutoTokenizer).from_pretrained("gpt2")
model = AutoModelForCausalLM.from_pretrained("gpt2")
"""
    )
    assert plan.refusal is None
    why = f"{AT_RUN_TIME}`AutoProcessor` or `AutoTokenizer`"
    assert reasons(plan, "CG102") == [why]
    assert reasons(plan) == [f"all of a model or none: line 3 stays, {why}"]
    assert "(AutoProcessor if VLM else AutoTokenizer).from_pretrained" in plan.after.decode()


@pytest.mark.parametrize("name", ['"./adapter"', "PATH", "args.path"])
def test_the_tokenizer_of_an_adapter_stays(name, check_noop):
    plan = check_noop(
        f"""\
from peft import AutoPeftModelForCausalLM
from transformers import AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained({name})
model = AutoPeftModelForCausalLM.from_pretrained({name})
"""
    )
    assert reasons(plan) == [ADAPTER]
    assert reasons(plan, "CG102") == ["line 5 loads an adapter by the same name as a model"]


def test_the_tokenizer_of_the_base_is_no_adapters(migrate):
    plan = migrate(
        """\
from peft import AutoPeftModelForCausalLM
from transformers import AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("gpt2")
model = AutoPeftModelForCausalLM.from_pretrained("./adapter")
"""
    )
    assert reasons(plan, "CG102") == [None]
    assert 'CleanModelLoader("gpt2").load_tokenizer()' in plan.after.decode()


def test_what_a_left_model_generates_stays(migrate):
    before = """\
from transformers import AutoTokenizer, LlamaForCausalLM


class Steered(LlamaForCausalLM):
    from_pretrained = classmethod(load)


model = Steered.from_pretrained("gpt2")
tokenizer = AutoTokenizer.from_pretrained("gpt2")
inputs = tokenizer("a", return_tensors="pt")
outputs = model.generate(**inputs, max_new_tokens=5)
print(tokenizer.decode(outputs[0]))
"""
    after = migrate(before).after.decode()
    assert after.endswith(before[before.index("inputs = ") :])


@pytest.mark.parametrize(
    "before",
    [
        pytest.param(
            "cls = GPT2LMHeadModel if SMALL else AutoModelForCausalLM\nmodel = cls", id="either"
        ),
        pytest.param("model = (AutoModelForCausalLM or GPT2LMHeadModel)", id="or"),
        pytest.param("model = (cls := GPT2LMHeadModel)", id="a walrus"),
        pytest.param("cls, size = AutoModelForCausalLM, 1\nmodel = cls", id="unpacked"),
        pytest.param(
            'CLASSES = {"a": AutoModelForCausalLM, "b": GPT2LMHeadModel}\nmodel = CLASSES[KIND]',
            id="a dict",
        ),
        pytest.param(
            'CLASSES = {"a": (1, AutoModelForCausalLM), "b": (2, GPT2LMHeadModel)}\n'
            "size, cls = CLASSES[KIND]\nmodel = cls",
            id="unpacked from a dict",
        ),
        pytest.param("model = transformers.AutoModelForCausalLM", id="through the module"),
        pytest.param('model = getattr(transformers, "GPT2LMHeadModel")', id="getattr"),
        pytest.param(
            "class Job:\n    cls = AutoModelForCausalLM\n\nmodel = Job.cls", id="of a class body"
        ),
        pytest.param(
            "def other(AutoModelForCausalLM): ...\n\nmodel = AutoModelForCausalLM",
            id="another function's parameter",
        ),
        pytest.param(
            "try:\n    from modelscope import AutoModelForCausalLM\n"
            "except ImportError:\n    AutoModelForCausalLM = None\nmodel = AutoModelForCausalLM",
            id="one of two imports",
        ),
    ],
)
def test_plain_classes_are_rewritten(before, migrate):
    plan = migrate(f'{SEVERAL}{before}.from_pretrained("gpt2")\n')
    assert plan.refusal is None
    assert reasons(plan) == [None]
    assert 'CleanModelLoader("gpt2")' in plan.after.decode()


def test_star_imports_are_rewritten(migrate):
    plan = migrate(
        'from transformers import *\n\nmodel = AutoModelForCausalLM.from_pretrained("gpt2")\n'
    )
    assert reasons(plan) == [None]


def test_a_bound_method_is_rewritten(migrate):
    plan = migrate(
        f"""{SEVERAL}\
def run():
    load = AutoModelForCausalLM.from_pretrained
    return load("gpt2")
"""
    )
    assert reasons(plan) == [None]


def test_names_that_stand_for_each_other(check_noop):
    check_noop(f'{SEVERAL}a = b\nb = a\nmodel = a.from_pretrained("gpt2")\n')


BASE = "from transformers import LlamaForCausalLM, PreTrainedModel\n\n\n"
STEERED = (
    BASE
    + """\
class Steered({bases}):
    def forward(self, *args, **kwargs):
        return super().forward(*args, **kwargs)


model = Steered.from_pretrained("meta-llama/Llama-3.1-8B", torch_dtype=dtype)
"""
)


@pytest.mark.parametrize(
    "source",
    [
        pytest.param(STEERED.format(bases="LlamaForCausalLM"), id="of a library's class"),
    ],
)
def test_a_class_of_the_script_is_loaded_as_before(source, migrate):
    after = migrate(source).after.decode()
    assert "model_class=Steered" in after
    assert "dtype=dtype" in after


@pytest.mark.parametrize(
    "bases",
    [
        "Mixin, LlamaForCausalLM",
        "Mixin",
        "LlamaForCausalLM, metaclass=Own",
        "make(LlamaForCausalLM)",
    ],
)
def test_a_class_that_is_made_of_something_unseen_stays(bases, check_noop):
    check_noop(STEERED.format(bases=bases))


OWN_FILE = """\
import torch
from transformers.modeling_utils import PreTrainedModel


class LlamaPreTrainedModel(PreTrainedModel):
    base_model_prefix = "model"


class LlamaForCausalLM(LlamaPreTrainedModel):
    {body}
"""


@pytest.mark.parametrize(
    ("body", "done"),
    [
        ("def forward(self, input_ids):\n        return self.model(input_ids)", True),
        ("def generate(self, *args):\n        return None", False),
        ("generate = other", False),
        ("@classmethod\n    def from_pretrained(cls, name):\n        return cls()", False),
    ],
)
def test_a_class_of_another_file_is_looked_into(body, done, tmp_path):
    package = tmp_path / "models"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "own.py").write_text(OWN_FILE.format(body=body))
    use = tmp_path / "use.py"
    use.write_text(
        "from models.own import LlamaForCausalLM\n\nmodel = LlamaForCausalLM.from_pretrained(NAME)\n"
    )
    paths = [package / "__init__.py", package / "own.py", use]
    plans = Planner([SourceFile(str(path), path) for path in paths], Settings()).plans()
    assert plans[-1].changed is done
    assert (b"model_class=LlamaForCausalLM" in plans[-1].after) is done


def test_a_config_that_one_of_two_loads_keeps_is_kept(migrate):
    """The stock class has it anyway; a class of one's own may read another kind of config."""
    source = (
        BASE
        + """\
from transformers import AutoConfig, AutoModelForCausalLM

class Steered(LlamaForCausalLM):
    pass

config = AutoConfig.from_pretrained("meta-llama/Llama-3.1-8B")
if input():
    model = Steered.from_pretrained("meta-llama/Llama-3.1-8B", config=config)
else:
    model = AutoModelForCausalLM.from_pretrained("meta-llama/Llama-3.1-8B", config=config)
"""
    )
    plan = migrate(source)
    assert plan.refusal is None
    after = plan.after.decode()
    assert "config=config, model_class=Steered" in after
    assert after.count("config=config") == 1
    assert "config = AutoConfig" in after
