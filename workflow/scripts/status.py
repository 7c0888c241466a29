"""Print which stages are done, running, failed or stale, and why. A run in progress goes on.

python workflow/scripts/status.py [--configfile config/paper.yaml] [-- tables]
"""

import sys

from mvc.console.environment import enter_environment


def main(arguments: "list[str]") -> None:
    if {"-h", "--help"} & set(arguments):
        sys.exit(__doc__.strip())
    has_snakemake = enter_environment()
    from mvc.console.overview import show_states  # its syntax is newer than some systems' Python
    from mvc.console.terminal import replace_unprintable

    replace_unprintable()
    show_states(arguments, has_snakemake)


if __name__ == "__main__":
    main(sys.argv[1:])
