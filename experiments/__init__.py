"""Is it better than round-robin, and are we sure?"""
