"""Watches loads, tokenizer calls, prefills and generations of this process, and changes none of them."""
