"""Values and their vocabulary: kinds, text, arguments, events, scopes, what was read when."""
