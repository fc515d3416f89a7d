"""`python -m flows.cli` is `boxhaul`."""

from flows.cli import main

if __name__ == "__main__":
    main()
