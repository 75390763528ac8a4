"""A machine's own numbers: loads made by native code, sent through devices and through what they stand beside."""
