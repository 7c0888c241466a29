"""Make a synthetic image again, from its row in a shard:

remake.py results/<data set>/synthetic/finetuned/0-of-2.parquet 17 --output image.png
"""

import argparse
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout

EPILOG = """\
Rows are counted from 0. On a machine of the same type the pixels are those of the shard, which is
printed; the exit status is 2 where they are not, and 1 where the image cannot be made again.
"""


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("shard", help="Parquet file of synthetic images")
    parser.add_argument("row", type=int, help="of the image, counted from 0")
    parser.add_argument("-o", "--output", required=True, help="image file to write, as image.png")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse_arguments(arguments)
    from mvc.library.remaking import describe_difference, remake  # seconds of imports

    try:
        with redirect_stdout(sys.stderr):
            image = remake(options.shard, options.row)
        image.save(options.output)
    except (OSError, IndexError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    said = describe_difference(image, options.shard, options.row)
    print(f"{options.output}: {image.width} x {image.height} pixels, {said}")
    return 0 if said.startswith("the same") else 2


if __name__ == "__main__":
    sys.exit(main())
