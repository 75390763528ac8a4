"""The JSON Schema of the topology file, for editors and for zmqtopo itself."""
