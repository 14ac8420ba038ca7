"""Tables in, columns out; no I/O."""
