"""Stages built on guard: data generation, training, evaluation, and the embedded tiny model."""
