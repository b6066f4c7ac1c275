"""From checked prompts to texts: settings, seeds, batches, streams, and what happened to each row."""
