"""A whole archive: many files in, one output, a run that can be stopped and goes on (`yearmark tag`)."""
