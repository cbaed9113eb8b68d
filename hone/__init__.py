"""The command line: `hone` and one file per command, each imported only when its command runs."""
