"""Takes secrets out of what is written down, and knows the formats that they have."""
