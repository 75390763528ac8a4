"""The JSON Schema of the file: what has its shape, and what is wrong with what has not."""
