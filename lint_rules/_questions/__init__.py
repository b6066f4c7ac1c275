"""What several rules ask: the hub, a model's standing, training, generation, signatures."""
