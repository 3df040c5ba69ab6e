"""`dataset`: the lesson's data."""
