"""What takes several calls; shared by routes, CLI and worker."""
