"""Tokenizer files of other makers, read and compared: sentencepiece, tiktoken, Mistral's own."""
