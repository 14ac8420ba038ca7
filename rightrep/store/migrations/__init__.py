"""How a database came to this version's tables; ``migrate`` runs it."""
