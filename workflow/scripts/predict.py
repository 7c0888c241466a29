"""Predict the class of photographs: `predict.py results/<data set>/classifier new/*.jpg`

A CSV table goes to standard output, or to the file of --output.
"""

import argparse
import sys
from collections.abc import Sequence
from contextlib import nullcontext

from mvc.console.terminal import replace_unprintable
from mvc.core.device import pick_device

EPILOG = """\
Columns: file, class, its probability, and the probability of each class, by the network's softmax:
it is not calibrated, and adds up to 1 even for a photograph of no class. A name that a spreadsheet
would take for a formula has an apostrophe before it. A file that cannot be read is named and left
out, and the exit status is then 1.
"""


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("classifier", help="folder that the target classifier has made")
    parser.add_argument("images", nargs="+", help="image files, of any format of docs/data-sets.md")
    parser.add_argument("-o", "--output", help="CSV file to write instead of standard output")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse_arguments(arguments)
    from mvc.classifiers.folder import load_classifier  # seconds, which --help need not wait for
    from mvc.classifiers.predictions import predict_files, write_predictions

    try:
        classifier = load_classifier(options.classifier, device=pick_device())
    except (FileNotFoundError, ValueError) as error:
        sys.exit(str(error))
    replace_unprintable()
    path = options.output
    opened = open(path, "w", encoding="utf-8", newline="") if path else nullcontext(sys.stdout)
    with opened as file:
        predictions = predict_files(classifier, options.images)
        noted = write_predictions(predictions, classifier.classes, file)
    unread = [each for each in noted if each.fault]
    for each in unread:
        print(f"{each.file}: {each.fault}", file=sys.stderr)
    if tinted := len(noted) - len(unread):
        note = "in colour, but all images that the classifier was trained on are grey"
        print(f"{tinted:,} of {len(options.images):,} files: {note}", file=sys.stderr)
    if unread:
        print(f"{len(unread):,} of {len(options.images):,} files left out", file=sys.stderr)
    return int(bool(unread))


if __name__ == "__main__":
    sys.exit(main())
