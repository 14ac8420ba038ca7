"""Arrays in, plan out; knows nothing of tables, models or requests."""
