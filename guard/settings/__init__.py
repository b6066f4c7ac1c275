"""What a call's keywords come to: settings, seeds, the rows to generate, what is done to scores."""
