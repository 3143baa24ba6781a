"""Every sentence about results that a reader sees, as pure functions of data, one subject per file."""
