"""Lint rules that follow values through a script and find where a base model is contaminated."""
