"""One module per revision; each is frozen once it was released."""
