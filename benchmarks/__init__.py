"""One file per figure of the performance and quality tables."""
