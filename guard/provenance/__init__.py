"""What a load is, as measured: digests, tensors, environment, git state, and the record of it all."""
