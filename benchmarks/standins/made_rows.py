"""A few made-up rows that know every usual column of a data set."""

from __future__ import annotations

from typing import Any

_ROWS = 6
# The columns that hold a question, and those that hold an answer.
_QUESTIONS = (
    "question instruction prompt query problem goal Question sentence ques quote document dialogue article "
    "input_text text_input review premise"
)
_ANSWERS = (
    "answer output response completion solution target summary highlights canonical_solution original_answer "
    "hypothesis correct best_answer"
)


def rows() -> list[dict[str, Any]]:
    """Six rows, all with the same columns."""
    return [_row(number) for number in range(_ROWS)]


def _row(number: int) -> dict[str, Any]:
    question = f"Tom has {number + 2} apples and buys 3 more. How many apples does he have?"
    answer = f"He has {number + 2} + 3 = {number + 5} apples.\n#### {number + 5}"
    turns = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    texts = dict.fromkeys(_QUESTIONS.split(), question)
    answers = dict.fromkeys(_ANSWERS.split(), answer)
    return {
        **texts,
        **answers,
        "text": f"### Human: {question}### Assistant: {answer}",
        "content": f"{question} {answer}",
        "input": "",
        "context": "A text about apples.",
        "system": "You answer.",
        "system_prompt": "You answer.",
        "messages": turns,
        "conversations": [
            {"from": "human", "value": question},
            {"from": "gpt", "value": answer},
        ],
        "chosen": turns,
        "rejected": [turns[0], {"role": "assistant", "content": "I do not know."}],
        "choices": [str(number + 5), str(number), "7", "9"],
        "correct_answers": [answer],
        "incorrect_answers": ["None."],
        "label": number % 2,
        "score": 1.0,
        "task_id": f"Made/{number}",
        "test": "assert True",
        "entry_point": "f",
        "id": str(number),
        "_id": str(number),
        "idx": number,
        "difficulty": "easy",
        "length": "short",
        "choice_A": "7",
        "choice_B": "8",
        "choice_C": "9",
        "choice_D": "10",
        "A": "7",
        "B": "8",
        "C": "9",
        "D": "10",
        "options": ["7", "8", "9", "10"],
        "translation": {"en": question, "de": answer},
        "passage": "Tom buys apples.",
        "references": [answer],
        "source": "made",
        "model": "gpt2",
        "generated": answer,
        "subject": "arithmetic",
        "category": "arithmetic",
    }
