"""Memory that training and generation need on each GPU, computed from a model's shape.

Counted: weights, LoRA adapters with gradients and optimizer, activations kept by checkpointing, one
layer's own activations, a tile of the logits (all that trl's fused head keeps), the key-value cache.
Not counted: CUDA's own memory (about 1 GB), fragmentation, and the buffers of collectives.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from benchmarks._models import SHAPES

_BF16, _FP32 = 2, 4
_TILE = (4096, 32_768)  # positions and vocabulary entries whose logits are there at a time
# nf4 with double quantization: 4 bits, 8 bits for 64 numbers, 32 bits for 256 of those.
_LINEAR_BYTES = {"none": 2.0, "int8": 1.0, "nf4": 0.5 + 1 / 64 + 4 / (64 * 256)}


@dataclass(frozen=True)
class Shape:
    """The numbers of a decoder: parameters in its linear layers, its embeddings, its adapters."""

    layers: int
    hidden: int
    inner: int
    kv: int
    vocab: int
    tied: bool

    @property
    def linear(self) -> int:
        """Parameters of the linear layers, head aside."""
        attention = self.hidden * (2 * self.hidden + 2 * self.kv)
        return self.layers * (attention + 3 * self.hidden * self.inner)

    @property
    def embeddings(self) -> int:
        """Parameters of the embedding and the head."""
        return self.vocab * self.hidden * (1 if self.tied else 2)

    def lora(self, r: int) -> int:
        """Parameters of an adapter on all linear layers."""
        attention = 2 * (self.hidden + self.hidden) + 2 * (self.hidden + self.kv)
        return self.layers * r * (attention + 3 * (self.hidden + self.inner))


def shape_of(name: str) -> Shape:
    """A shape by its name in `benchmarks._models`."""
    found: dict[str, Any] = SHAPES[name]
    head = found["hidden_size"] // found["num_attention_heads"]
    return Shape(
        found["num_hidden_layers"], found["hidden_size"], found["intermediate_size"],
        found["num_key_value_heads"] * head, found["vocab_size"],
        found.get("tie_word_embeddings", False),
    )  # fmt: skip


def weights(shape: Shape, quant: str) -> float:
    """Bytes of the base."""
    return shape.linear * _LINEAR_BYTES[quant] + shape.embeddings * _BF16


def training(
    name: str, quant: str, *, rows: int, tokens: int, shards: int = 1, r: int = 16, adam: int = 8
) -> dict[str, float]:
    """Bytes on each GPU with checkpointing.

    Args:
        name: The shape.
        quant: none, int8 or nf4.
        rows, tokens: Rows at a time and their length.
        shards: GPUs that the base is sharded over; 1 keeps a whole one on each.
        r: The adapter's rank.
        adam: Bytes of optimizer state for a parameter: 8, or 2 for an 8-bit one.
    """
    shape = shape_of(name)
    positions = rows * tokens
    layer = shape.linear / shape.layers * _LINEAR_BYTES[quant]
    return {
        "base": weights(shape, quant) / shards + (2 * layer if shards > 1 else 0),
        "adapter": shape.lora(r) * (2 * _FP32 + adam) / shards,
        "checkpoints": shape.layers * positions * shape.hidden * _BF16,
        # What one layer keeps for its own backward pass: about six of its width, five of its inner one.
        "layer": positions * (6 * shape.hidden + 5 * shape.inner) * _BF16,
        "logits": min(positions, _TILE[0]) * min(shape.vocab, _TILE[1]) * _BF16,
    }


def generation(name: str, quant: str, *, rows: int, tokens: int) -> dict[str, float]:
    """Bytes on each GPU that holds a whole model."""
    shape = shape_of(name)
    return {
        "base": weights(shape, quant),
        "cache": rows * tokens * shape.layers * 2 * shape.kv * _BF16,
        "logits": rows * shape.vocab * (_BF16 + 2 * _FP32),
    }


def table() -> str:
    """The plans for Qwen2.5-32B."""
    lines = ["| what | GPUs | base | adapter | activations | logits | sum |", f"|{'---|' * 7}"]
    plans: list[tuple[str, int, dict[str, float]]] = [
        ("QLoRA nf4, 8 × 1,024 tokens, data parallel", 1, training("qwen2.5-32b", "nf4", rows=8, tokens=1024)),
        ("QLoRA nf4, 2 × 1,024 tokens, data parallel", 1, training("qwen2.5-32b", "nf4", rows=2, tokens=1024)),
        *(
            ("LoRA bf16, 4 × 1,024 tokens, FSDP 2", shards,
             training("qwen2.5-32b", "none", rows=4, tokens=1024, shards=shards))
            for shards in (2, 8, 16, 64)
        ),
        ("generate int8, 32 rows × 1,024", 1, generation("qwen2.5-32b", "int8", rows=32, tokens=1024)),
        ("generate nf4, 64 rows × 1,024", 1, generation("qwen2.5-32b", "nf4", rows=64, tokens=1024)),
        ("generate bf16, 32 rows × 1,024", 1, generation("qwen2.5-32b", "none", rows=32, tokens=1024)),
    ]  # fmt: skip
    for name, gpus, part in plans:
        activations = sum(part.get(key, 0) for key in ("checkpoints", "layer", "cache"))
        parts = [
            part["base"],
            part.get("adapter", 0),
            activations,
            part["logits"],
            sum(part.values()),
        ]
        shown = " | ".join(f"{value / 1e9:.1f}" for value in parts)
        lines.append(f"| {name} | {gpus} | {shown} |")
    return "\n".join(lines)
