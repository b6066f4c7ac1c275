"""Scripts that use an older loader come to use the guard's."""

from __future__ import annotations

import pytest

OLD = "from utils.clean_model_loader import CleanModelLoader\n"
NEW = "from guard import CleanModelLoader\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(OLD + 'm, t, p = CleanModelLoader("gpt2", load_in_4bit=False).load()\n', NEW + 'm, t, p = CleanModelLoader("gpt2", load_in_4bit=False).load()\n', id="the import"),
        pytest.param("from .clean_model_loader import CleanModelLoader, X\n", "from .clean_model_loader import X\n" + NEW, id="another name in the import"),
        pytest.param("from clean_model_loader import CleanModelLoader as L\n", "from guard import CleanModelLoader as L\n", id="an alias"),
        pytest.param('import utils.clean_model_loader as cml\nm, t = cml.CleanModelLoader("gpt2", load_in_4bit=True).load()\n', NEW + 'm, t, provenance = CleanModelLoader("gpt2", load_in_4bit=True).load()\n', id="a module by another name"),
        pytest.param('import utils.clean_model_loader\nl = utils.clean_model_loader.CleanModelLoader("gpt2")\n', NEW + 'l = CleanModelLoader("gpt2", load_in_4bit=True)\n', id="a dotted module"),
        pytest.param('from utils import clean_model_loader\nl = clean_model_loader.CleanModelLoader(model_name="gpt2", load_in_8bit=True)\n', NEW + 'l = CleanModelLoader(model_id="gpt2", load_in_8bit=True)\n', id="a module from its package"),
        pytest.param('from . import clean_model_loader as c, other\nl = c.CleanModelLoader("gpt2", load_in_4bit=True)\nother.f()\n', "from . import other\n" + NEW + 'l = CleanModelLoader("gpt2", load_in_4bit=True)\nother.f()\n', id="a module beside another"),
        pytest.param('import clean_model_loader as c\nl = c.CleanModelLoader("gpt2", load_in_4bit=True)\nc.f()\n', "import clean_model_loader as c\n" + NEW + 'l = CleanModelLoader("gpt2", load_in_4bit=True)\nc.f()\n', id="a module that is used for more"),
        pytest.param('def f():\n    import clean_model_loader as c\n    return c.CleanModelLoader("gpt2", load_in_4bit=True)\n', 'def f():\n    from guard import CleanModelLoader\n    return CleanModelLoader("gpt2", load_in_4bit=True)\n', id="a module in a function"),
        pytest.param(OLD + 'm, t = CleanModelLoader("gpt2", load_in_4bit=True).load()\n', NEW + 'm, t, provenance = CleanModelLoader("gpt2", load_in_4bit=True).load()\n', id="two values"),
        pytest.param(NEW + 'm, t = CleanModelLoader("gpt2").load()\n', NEW + 'm, t, provenance = CleanModelLoader("gpt2").load()\n', id="two values of the guard's own"),
        pytest.param(OLD + 'l = CleanModelLoader(model_name="gpt2")\n', NEW + 'l = CleanModelLoader(model_id="gpt2", load_in_4bit=True)\n', id="4 bit was the default"),
        pytest.param(OLD + 'l = CleanModelLoader("gpt2", load_in_8bit=True)\n', NEW + 'l = CleanModelLoader("gpt2", load_in_8bit=True)\n', id="8 bit stays 8 bit"),
        pytest.param(OLD + 'l = CleanModelLoader("gpt2", load_in_8bit=True)\nm, t, p = l.load()\nl.generate(m, t, "a", max_new_tokens=3, stop=["x"], random_seed=1)\n', NEW + 'l = CleanModelLoader("gpt2", load_in_8bit=True)\nm, t, p = l.load()\nl.generate(m, t, "a", max_new_tokens=3, stop_strings=["x"], seed=1)\n', id="keywords"),
    ],
)  # fmt: skip
def test_is_upgraded(before, after, check_transformed):
    check_transformed(before, after)


@pytest.mark.parametrize(
    "source",
    [
        pytest.param(NEW + 'm, t, p = CleanModelLoader("gpt2").load()\n', id="right already"),
        pytest.param(NEW + 'loaded = CleanModelLoader("gpt2").load()\n', id="not unpacked"),
        pytest.param(NEW + 'm, *rest = CleanModelLoader("gpt2").load()\n', id="a star"),
        pytest.param(
            'import guard\nm, t, p = guard.CleanModelLoader("gpt2").load()\n',
            id="the guard by its module",
        ),
        pytest.param("class A: ...\nA.CleanModelLoader()\n", id="a class that is none of ours"),
        pytest.param("from loaders import Other\na, b = Other().load()\n", id="another loader"),
    ],
)
def test_stays(source, check_noop):
    check_noop(source)


def test_what_the_older_loader_did_unasked_is_pointed_out(migrate):
    source = OLD + (
        'l = CleanModelLoader("gpt2", load_in_8bit=True)\nm, t, p = l.load()\n'
        'l.generate(m, t, "a", max_new_tokens=3)\n'
    )
    told = [note.text for site in migrate(source).sites for note in site.notes]
    assert any("loaded in 4 bit" in text for text in told)
    assert any("repetition_penalty=1.1" in text for text in told)
