"""What every room of the guard may use: canonical JSON, redaction, vocabulary look-ups, keyword checks."""
