"""What calls into libraries give: the standard library, plain values, transformers and peft."""
