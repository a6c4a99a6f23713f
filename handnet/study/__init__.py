"""A study: search, confirm, open the test, divide anew, report, track."""
