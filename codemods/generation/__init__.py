"""Tokenise, generate and decode by hand become one guarded call."""
