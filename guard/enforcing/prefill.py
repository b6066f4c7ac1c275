"""Judges a batch of prompt ids by its shape: one BOS where it belongs, padding where it is masked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guard.errors import DoubledBosError, MissingBosError, PaddingError

if TYPE_CHECKING:
    import torch

    from guard.prompts.policy import PromptPolicy


def check_bos(
    policy: PromptPolicy, ids: torch.Tensor, mask: torch.Tensor | None, *, may_lack: bool = False
) -> None:
    """Check that every row of ids, of shape (rows, positions), begins with exactly one BOS,
    all ids of it.

    Args:
        policy: The rules of the model that the ids are for.
        ids: Token ids.
        mask: Attention mask of the same shape; padding is told by the pad id where there is none.
        may_lack: Training data in chunks may begin in the middle of a text.

    Raises:
        MissingBosError, DoubledBosError: See their classes.
    """
    prefix, width = list(policy.prefix), len(policy.prefix)
    masks = mask.tolist() if mask is not None and mask.dim() == 2 else None
    for number, row in enumerate(ids.tolist()):
        if masks is not None and len(masks[number]) == len(row):
            first = masks[number].index(1) if 1 in masks[number] else 0
        else:
            first = 0
            while (
                policy.pad_id != policy.bos_id
                and first < len(row) - 1
                and row[first] == policy.pad_id
            ):
                first += 1
        begin = row[first : first + 2 * width]
        # One token at a time, a prompt may come in with a part of the prefix only.
        whole = prefix[: len(begin)]
        if begin[: len(whole)] != whole and not may_lack:
            raise MissingBosError(
                f"row {number} begins with {_named(begin[:width])}; this family needs BOS ({_named(prefix)})",
                evidence={"row": number, "position": first, "ids": begin[:width]},
            )
        if begin[:width] == prefix and begin[width : width + 1] == prefix[:1]:
            raise DoubledBosError(
                f"row {number} begins with BOS twice ({_named(prefix)})",
                evidence={"row": number, "position": first, "ids": begin},
            )


def _named(ids: list[int]) -> str:
    return f"id {ids[0]}" if len(ids) == 1 else f"ids {ids}"


def check_padding(
    policy: PromptPolicy, ids: torch.Tensor, mask: torch.Tensor | None, *, generates: bool
) -> None:
    """Check that no padding is read as text: ids and mask of shape (rows, positions).

    Padding on the right is wrong where the batch is continued; a plain forward never looks to the
    right. Without a mask, padding is told by rows of different runs of the pad id: what every row
    begins with was meant.

    Raises:
        PaddingError: The batch is padded on the right, or on the left without a mask.
    """
    if mask is not None:
        if generates and mask.shape == ids.shape and mask.dim() == 2:
            wrong = (mask[:, :-1] > mask[:, 1:]).any(dim=1)
            if bool(wrong.any()):
                raise _wrong(int(wrong.nonzero()[0]), "padded on the right", policy.pad_id)
        return
    if policy.pad_id is None or ids.shape[0] < 2:
        return
    pads = (ids == policy.pad_id).long()
    left, right = pads.cumprod(dim=1).sum(dim=1), pads.flip(1).cumprod(dim=1).sum(dim=1)
    if generates and bool((right != right.min()).any()):
        raise _wrong(int(right.argmax()), "padded on the right", policy.pad_id)
    # transformers' generate makes the mask itself, if no pad can be a text's end.
    known = generates and policy.pad_id != policy.eos_id
    if not known and bool((left != left.min()).any()):
        raise _wrong(int(left.argmax()), "padded and there is no attention mask", policy.pad_id)


def _wrong(row: int, what: str, pad: int | None) -> PaddingError:
    return PaddingError(f"row {row} of the batch is {what}", evidence={"row": row, "pad": pad})
