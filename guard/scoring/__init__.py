"""How likely a model finds given texts: continuations of a prompt, and texts as a whole."""
