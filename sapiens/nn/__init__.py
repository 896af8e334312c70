"""Network parts that several tasks share."""
