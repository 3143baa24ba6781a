"""What the templates of published pages may say about runs; every number is computed from the records."""
