"""The scripts of the books are run by test_course.py and test_second_book.py, not collected by pytest."""

collect_ignore = ["course", "second"]
