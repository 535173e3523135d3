"""Settings of the repository as a whole: sections of ``params.yaml``, their classes, and the schema made from them."""
