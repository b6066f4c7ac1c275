"""What becomes of each setting of a generation: keywords, `**` dicts, sampling, contradictions."""
