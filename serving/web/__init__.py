"""Server-rendered pages for sales managers."""
