"""Loads of models, tokenizers, adapters and quantization configs become loader calls."""
