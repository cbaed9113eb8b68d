"""`python -m hone`: the command line where the script `hone` is not on the path."""

from hone.cli import main

main()
