from __future__ import annotations

import pytest

from cleanguard.secrets.redaction import (
    HIDDEN,
    known_secrets,
    names_a_secret,
    redact_argv,
    redact_text,
    redact_value,
)


@pytest.mark.parametrize(
    ("argv", "secret"),
    [
        (["x", "--hf-token", "abc123"], "abc123"),
        (["x", "--token=abc123"], "abc123"),
        (["x", "--token=my secret=phrase"], "phrase"),
        (["x", "--token", "-abc123"], "abc123"),
        (["x", "--my_token_file_value", "abc123"], "abc123"),
        (["x", "--api_key", "abc123"], "abc123"),
        (["x", "--apikey=abc123"], "abc123"),
        (["x", "--wandb-key", "0123456789abcdef0123456789abcdef01234567"], "0123456789"),
        (["x", "--AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG"], "wJalr"),
        (["x", "hf_token=abc123"], "abc123"),
        (["x", "model.api_key=abc 123"], "123"),
        (["x", "+trainer.wandb_api_key=abc123"], "abc123"),
        (["x", "hf_abcdefghijkl"], "hf_abcdefghijkl"),
        (["x", "--header=sk-abcdefghijkl"], "sk-abcdefghijkl"),
        (["x", "https://user:abc123@host/x"], "abc123"),
        (["x", "https://host/x?private_token=abc123&page=1"], "abc123"),
        (["x", "https://host/x?X-Amz-Signature=abc123"], "abc123"),
        (["x", "--config", '{"lr": 1, "api_key": "abc123"}'], "abc123"),
        (["x", "-H", "Authorization: token abc123"], "abc123"),
        (["x", "-H", "authorization: Bearer abc123.def"], "abc123"),
        (["x", "--password", "12345"], "12345"),
        (["x", "--token", "123456"], "123456"),
        (["x", "--login", "ghp_0123456789abcdefghij"], "ghp_"),
    ],
    ids=lambda value: value[-1] if isinstance(value, list) else "",
)
def test_secrets_on_a_command_line_are_hidden(argv: list[str], secret: str) -> None:
    shown = " ".join(redact_argv(argv))
    assert secret not in shown
    assert HIDDEN in shown


def test_ordinary_arguments_stay() -> None:
    argv = [
        "run.py", "--limit", "5", "--max-new", "3", "https://host/x", "--max-new-tokens", "128",
        "--tokenizer", "Qwen/Qwen2.5-7B", "--max_tokens=20", "--split-by", "key", "--item-key=id",
        "--eos-token", "<|endoftext|>", "--token", "--verbose", "--author", "me", "keys=a,b",
        "--stop-strings", "END", "--seed", "7", "--revision", "d149729398750b98c0af14eb82c78cfe92750796",
    ]  # fmt: skip
    assert list(redact_argv(argv)) == argv


@pytest.mark.parametrize(
    "name",
    [
        "HF_TOKEN",
        "hubToken",
        "WANDB_API_KEY",
        "wandbKey",
        "AWS_SECRET_ACCESS_KEY",
        "DB_PWD",
        "X-Auth",
    ],
)
def test_names_that_say_secret(name: str) -> None:
    assert names_a_secret(name)


@pytest.mark.parametrize(
    "name",
    ["TOKENIZERS_PARALLELISM", "PWD", "KEYBOARD", "PATH", "pad_token", "special_tokens", "key",
     "max_new_tokens", "AUTHOR", "sort_keys"],
)  # fmt: skip
def test_names_that_do_not(name: str) -> None:
    assert not names_a_secret(name)


def test_values_of_secret_variables_are_hidden_wherever_they_turn_up() -> None:
    environment = {"MY_TOKEN": "opensesame", "SOME_KEY_ID": "visible1", "API_TOKEN": "true"}
    secrets = known_secrets(environment)
    assert secrets == ("opensesame",)
    assert redact_text("cd /home/opensesame/x", secrets) == f"cd /home/{HIDDEN}/x"


def test_values_in_a_record_are_hidden_by_name_and_by_format() -> None:
    plain = {"lr": 0.1, "n": None, "tokens": 5, "max_new_tokens": "12", "texts": ["a dog", "b"]}
    assert redact_value(plain) == plain
    dirty = {"auth": {"hub_token": "x"}, "list": ["hf_0123456789"], "password": "12"}
    assert redact_value(dirty) == {
        "auth": {"hub_token": HIDDEN},
        "list": [HIDDEN],
        "password": HIDDEN,
    }


def test_private_keys_are_hidden() -> None:
    text = "a -----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY----- b"
    assert redact_text(text, ()) == f"a {HIDDEN} b"


@pytest.mark.parametrize(
    "said",
    [
        "one_token: 64 items in 64 clusters", "next-token: 1 item in 1 cluster", "secret_santa: 3 of 64 wrong",
        "  my_token: 0.83 bits per byte; perplexity 4.1 by token", "auth: 12.5% right",
        "runs/one_token.jsonl:3: not JSON", "one_token.jsonl: cannot be read", "secrets.yaml:12 is no list",
        "build/one_token: holds no results", "api_key (acc): 0.5 on 240 documents",
        "dpo is worse than my_token: -22.0 points [-32.0, -11.3], p < 0.0001",
    ],
)  # fmt: skip
def test_what_is_said_of_a_name_is_no_secret(said: str) -> None:
    assert redact_text(said, ()) == said


@pytest.mark.parametrize(
    "text",
    [
        "token: 1234567", "token=5 items", "--token 5 items", "password: 12345", "password: 12345 words",
        '{"token": "5 items"}', "/etc/token: hunter2", "https://h/x?token=64&items=3", "my.token:64:ab",
        "token.json=hunter2", "secret: hunter2 items", "db_password: -64 items",
    ],
)  # fmt: skip
def test_a_value_behind_a_secret_name_is_hidden_whatever_follows(text: str) -> None:
    assert HIDDEN in redact_text(text, ())


def test_the_names_of_hazards_are_no_secrets() -> None:
    from cleanguard.catalogue.hazards import CATALOGUE

    for hazard in CATALOGUE:
        said = f"mine.jsonl:2: {hazard.code} {hazard.name}: prompt 0 holds it"
        assert redact_text(said, ()) == said
