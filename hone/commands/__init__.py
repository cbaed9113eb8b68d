"""Every command with its options and examples, a file per group. Bodies are imported when their command runs."""
