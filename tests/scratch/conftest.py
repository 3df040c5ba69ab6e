"""The scripts of the course are run by test_course.py, not collected by pytest."""

collect_ignore = ["course"]
