"""Networks that take no images of the size of their runs, found before hours of generation."""

from collections.abc import Iterable, Iterator, Mapping

from mvc.config.files import find_package
from mvc.config.params import read_run


def list_unfit_networks(config: Mapping, runs: Iterable[tuple[str, str, str]]) -> Iterator[str]:
    """List networks of timm that take no images of the size of their runs, one per line.

    Found by passing shapes alone through each, which takes 2 s for the imports.

    Args:
        runs: data set, classifier and arm of each run that is asked for.
    """
    settings = [(model, read_run(config, dataset, model, arm)) for dataset, model, arm in runs]
    wanted = {
        (model, run["network"], run["resolution"])
        for model, run in settings
        if run["resolution"] and not run["network"].startswith("wrn-")
    }
    if not wanted or not find_package("timm"):
        return
    from mvc.estimate.architectures import explain_unfit

    for model, network, size in sorted(wanted):
        if fault := explain_unfit(network, size):
            yield (
                f"classifiers.models.{model}: {network} takes no images of {size} x {size} pixels "
                f"({fault}); set classifiers.resolution, or choose another network"
            )
