"""Keep pytest from collecting the books' scripts, which test_course.py and test_second_book.py run."""

collect_ignore = ["course", "second"]
