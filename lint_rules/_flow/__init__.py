"""Value flow: says what a module's expressions are, and which calls are made on them."""
