"""Programs that train what they load: tokens given to the tokenizer, a few steps, and what is saved."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.differential.draw import Draw

if TYPE_CHECKING:
    from tests.differential.grammar import Parts

_TEXTS = ["The lamp is on the table.", "A river and the house", "One, two, three; 4 and 5."]
# Ways that add a token to every tokenizer here, and to those that have none to pad with.
ADD_ALWAYS = ("always", "ends", "name", "words", "dialogue", "loop")
ADD_PAD = ("dict", "helper", "imported helper", "direct")
_RESIZE = [
    "def smart_resize(special_tokens_dict, tokenizer, model):",
    "    added = tokenizer.add_special_tokens(special_tokens_dict)",
    "    model.resize_token_embeddings(len(tokenizer))",
    "    if added > 0:",
    "        for layer in (model.get_input_embeddings(), model.get_output_embeddings()):",
    "            rows = layer.weight.data",
    "            rows[-added:] = rows[:-added].mean(dim=0, keepdim=True)",
    "",
]


def lines(draw: Draw, parts: Parts) -> list[str]:
    """The program behind its imports."""
    tok, lm = parts.tok, parts.lm
    named = f'"{parts.family.hub}"'
    side = draw.pick("tune_side", {"none": 3, "right": 4, "left": 1})
    given = [named] + ([f'padding_side="{side}"'] if side != "none" else [])
    if draw.chance("tune_length", 0.3):
        given.append("model_max_length=64")
    loads = [
        f"{lm} = AutoModelForCausalLM.from_pretrained({named}{draw.rng.choice(['', ', torch_dtype=torch.float32'])})",
        f"{tok} = AutoTokenizer.from_pretrained({', '.join(given)})",
    ]
    if draw.chance("tune_eval", 0.15):
        loads[0] += ".eval()" if draw.chance("tune_eval_chained", 0.5) else f"\n{lm}.eval()"
    if draw.chance("tune_tokenizer_first", 0.4):
        loads.reverse()
    how, added_lines = grown(draw, parts)
    added = how in ADD_ALWAYS or (how in ADD_PAD and parts.family.bos is not None)
    body = [*added_lines, *shown(parts), *_steps(draw, parts), *_saved(draw, parts, added=added)]
    found = [*"\n".join(loads).split("\n"), *body]
    if draw.chance("tune_in_function", 0.5):
        inner = [f"    {line}" if line else "" for line in found]
        found = ["def train():", *inner, "", "", 'if __name__ == "__main__":', "    train()"]
    return ["torch.manual_seed(3)", "", *found]


def grown(draw: Draw, parts: Parts) -> tuple[str, list[str]]:
    """How tokens are given to the tokenizer, and the lines."""
    tok, lm = parts.tok, parts.lm
    how = draw.pick(
        "grown",
        {"dict": 3, "helper": 3, "imported helper": 2, "direct": 2, "always": 1, "pad eos": 1, "ends": 2, "none": 1,
         "name": 1, "words": 0.6, "dialogue": 0.6, "loop": 0.4},
    )  # fmt: skip
    if how in ("dict", "helper", "ends"):
        parts.helper(*_RESIZE)
    if how == "imported helper":
        parts.files["resizing.py"] = _RESIZE
        parts.need("from resizing import smart_resize")
    call = f"smart_resize(special_tokens_dict=dict(pad_token=PAD), tokenizer={tok}, model={lm})"
    if how not in ("none", "pad eos"):
        parts.constant('PAD = "[PAD]"')
    names = ["pad", "eos", "bos", "unk"] if draw.chance("grown_all", 0.5) else ["pad", "unk"]
    ends = "{" + ", ".join(f'"{name}_token": "</s>"' for name in ("eos", "bos", "unk")) + "}"
    return how, {
        "none": [],
        "dict": [
            "special = dict()",
            *(
                line
                for name in names
                for line in (
                    f"if {tok}.{name}_token is None:",
                    f'    special["{name}_token"] = ' + ("PAD" if name == "pad" else f'"<{name}>"'),
                )
            ),
            f"smart_resize(special, {tok}, {lm})",
        ],
        "helper": [f"if {tok}.pad_token is None:", f"    {call}"],
        "imported helper": [f"if {tok}.pad_token is None:", f"    {call}"],
        "direct": [
            f"if {tok}.pad_token is None:",
            f'    {tok}.add_special_tokens({{"pad_token": PAD}})',
            f"    {lm}.resize_token_embeddings(len({tok}))",
        ],
        "always": [f"{tok}.add_special_tokens({{'pad_token': PAD}})", f"{lm}.resize_token_embeddings(len({tok}))"],
        "pad eos": [f'{tok}.add_special_tokens({{"pad_token": {tok}.eos_token}})'],
        "ends": [
            f"if {tok}.pad_token is None:",
            f"    {call}",
            f"{tok}.add_special_tokens({ends})",
            f"{lm}.resize_token_embeddings(len({tok}))",
        ],
        "name": [
            'given = {"pad_token": PAD}',
            f"{tok}.add_special_tokens(given)",
            f"{lm}.resize_token_embeddings(len({tok}))",
        ],
        "words": [f'{tok}.add_tokens(["lampriver", PAD])', f"{tok}.pad_token = PAD", f"{lm}.resize_token_embeddings(len({tok}))"],
        "dialogue": [
            f'{tok}.add_special_tokens({{"additional_special_tokens": ["<|user|>", "<|end|>"], "pad_token": PAD}})',
            f"{lm}.resize_token_embeddings(len({tok}))",
        ],
        "loop": [
            'for name in ("pad_token", "sep_token"):',
            f"    {tok}.add_special_tokens({{name: PAD}})",
            f"{lm}.resize_token_embeddings(len({tok}))",
        ],
    }[how]  # fmt: skip


def shown(parts: Parts) -> list[str]:
    """Prints what the tokenizer and the embedding came to."""
    tok, lm = parts.tok, parts.lm
    return [
        f"print(len({tok}), {tok}.pad_token, {tok}.pad_token_id, {tok}.eos_token, {tok}.padding_side)",
        f"print(tuple({lm}.get_input_embeddings().weight.shape))",
    ]


def _steps(draw: Draw, parts: Parts) -> list[str]:
    tok, lm = parts.tok, parts.lm
    if draw.chance("tune_pads", 0.7):
        pads = [f"if {tok}.pad_token is None:", f"    {tok}.pad_token = {tok}.eos_token"]
        batches = [f'batch = {tok}({_TEXTS!r}, return_tensors="pt", padding=True)']
        labels = draw.rng.choice(
            [
                "batch.input_ids",
                f"batch.input_ids.masked_fill(batch.input_ids == {tok}.pad_token_id, -100)",
            ]
        )
    else:
        pads, labels = [], "batch.input_ids"
        batches = [f'batch = {tok}({_TEXTS[0]!r}, return_tensors="pt")']
    mask = draw.rng.choice(["batch.attention_mask", f"batch.input_ids.ne({tok}.pad_token_id)"])
    mode = [] if draw.chance("tune_stays_evaluating", 0.25) else [f"{lm}.train()"]
    mask = mask if pads else "batch.attention_mask"
    if draw.chance("trainer", 0.25):
        parts.need("from transformers import Trainer, TrainingArguments")
        parts.need("import numpy as np")
        return [
            *pads, *batches, f"labels = {labels}",
            "rows = [dict(input_ids=i, attention_mask=m, labels=x) for i, m, x in zip(batch.input_ids, batch.attention_mask, labels)]",
            'args = TrainingArguments(output_dir="out", max_steps=2, use_cpu=True, report_to=[], save_strategy="no", disable_tqdm=True, learning_rate=0.01)',
            "from transformers.trainer_callback import PrinterCallback", f"trainer = Trainer(model={lm}, processing_class={tok}, args=args, train_dataset=rows)",
            "trainer.remove_callback(PrinterCallback)", "result = trainer.train()",
            "print(round(result.training_loss, 3))",
        ]  # fmt: skip
    return [
        *pads, *batches, f"optimizer = torch.optim.SGD({lm}.parameters(), lr=0.05)", *mode,
        "for step in range(2):",
        f"    loss = {lm}(input_ids=batch.input_ids, attention_mask={mask}, labels={labels}).loss",
        "    loss.backward()", "    optimizer.step()", "    optimizer.zero_grad()",
        "    print(round(float(loss), 3))",
    ]  # fmt: skip


def saved_tokenizer(parts: Parts, *, added: bool) -> list[str]:
    """Saves a tokenizer: its files are compared where tokens came to it, else they are the publisher's."""
    if added:
        return [f'{parts.tok}.save_pretrained("saved")']
    return [
        f'{parts.tok}.save_pretrained("saved")',
        'said = json.load(open("saved/tokenizer_config.json"))',
        'print([said.get(name) for name in ("eos_token", "bos_token", "unk_token")])',
        'tokens = json.load(open("saved/tokenizer.json"))["added_tokens"]',
        'print(sorted(one["content"] for one in tokens))',
        "import shutil",
        'shutil.rmtree("saved")',
    ]


def _saved(draw: Draw, parts: Parts, *, added: bool) -> list[str]:
    """What is saved: a tokenizer's files are compared where tokens came to it, else they are the publisher's."""
    tok, lm = parts.tok, parts.lm
    how = draw.pick(
        "tune_saves", {"none": 3, "tokenizer": 3, "model": 1, "read again": 2, "evaluated": 2}
    )
    gone = ["import shutil", 'shutil.rmtree("saved")']
    parts.need("import json")
    again = saved_tokenizer(parts, added=False)
    total = "sum(t.double().sum() for t in load_file('saved/model.safetensors').values())"
    return {
        "none": [],
        "tokenizer": [f'{tok}.save_pretrained("saved")'] if added else again,
        "model": [
            f'{lm}.save_pretrained("saved")',
            "from safetensors.torch import load_file",
            f"print(round(float({total}), 2))",
            *gone,
        ],
        "read again": again,
        "evaluated": [
            f"{lm}.eval()",
            "with torch.no_grad():",
            f"    print(round(float({lm}(**{tok}({_TEXTS[0]!r}, return_tensors='pt')).logits.sum()), 2))",
        ],
    }[how]  # fmt: skip
