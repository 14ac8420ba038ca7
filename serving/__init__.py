"""Every way in: HTTP, web page, terminal, worker."""
