"""Records on disk: SQLAlchemy Core on SQLite and PostgreSQL; rows never leave it."""
