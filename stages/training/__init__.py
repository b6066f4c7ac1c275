"""What fine-tuning and preference training share: settings, data, checkpoints, lineage."""
