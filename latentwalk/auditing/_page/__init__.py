"""A report as one HTML page. It renders what has a report's attributes, and imports no report."""
