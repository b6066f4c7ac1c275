"""From prompt to ids and back to text: how it is encoded, which row is decoded, what is cut off."""
