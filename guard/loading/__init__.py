"""Carries out a load: tokenizer, weights, adapters, padding, and the guard around them."""
