"""What a prompt must look like for a tokenizer, and the checks that keep every road into the model."""
