"""`dataset`: the course's data."""
