"""A classifier's whole training, against the usual script of torchvision and a DataLoader.

    python benchmarks/classifier.py [--model wrn-10-1 --images 50 250 --steps 200 --batch 32]

Both train the same network for as many steps of the same batch size, with RandAugment (N = 2,
M = 9), a random crop and a flip, SGD with Nesterov momentum and a cosine schedule, and classify the
test images at the end; all images lie in memory. The script goes through a DataLoader once an
epoch, as tutorials do: with two workers that start with each epoch, which is the default, with two
that persist, and without workers. The last batch of its epochs is smaller (18 of 50 images), ours
are all full. The numbers of images are those of five labels per class, without and with four
synthetic images for each.
"""

import argparse
import contextlib
import io
import sys
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "workflow/scripts"))

import torch
import torch.nn.functional as F
from mvc.classifiers.run import run
from mvc.core.device import pick_device
from mvc.core.image_set import Labelled
from mvc.training import networks
from mvc.training.hyperparameters import Hyperparameters
from per_image import PerImage, list_augmentation
from race import parse_options, race
from torch.utils.data import DataLoader
from torchvision import transforms

CLASSES = 10
SETTINGS = {"learning_rate": 0.1, "weight_decay": 5e-4, "max_grad_norm": 5.0}
SCALE = {"mean": [0.5] * 3, "std": [0.29] * 3}
GOAL = 5.0


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="wrn-10-1")
    parser.add_argument("--images", type=int, nargs="+", default=[50, 250], help="for training")
    parser.add_argument("--test", type=int, default=2000, help="images to classify at the end")
    parser.add_argument("--size", type=int, default=28, help="pixels a side")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=2)
    return parse_options(parser, images=[40], test=10, steps=6, batch=8, repeats=1)


def draw_images(n: int, size: int, name: str) -> Labelled:
    """Random images of every class."""
    images = torch.randint(256, (n, 3, size, size), dtype=torch.uint8)
    classes = {label: str(label) for label in range(CLASSES)}
    return Labelled(images, torch.arange(n) % CLASSES, classes, frozenset({name}))


def train_here(train: Labelled, test: Labelled, options: argparse.Namespace) -> None:
    """Train and test as the stage `classifiers` does."""
    length = {"batch_size": options.batch, "steps": options.steps}
    with contextlib.redirect_stdout(io.StringIO()):
        run(
            train,
            None,
            lambda: test,
            model=options.model,
            hyperparameters=Hyperparameters("ra", ra={"n": 2, "m": 9}, **length, **SETTINGS),
            root=0,
            seed=0,
            device=pick_device(),
        )


def train_by_script(
    train: Labelled, test: Labelled, options: argparse.Namespace, **workers: object
) -> None:
    """Train and test as a script of torchvision or timm does."""
    device = pick_device()
    augmentation = list_augmentation(transforms.RandAugment(2, 9), options.size)
    images = PerImage(train.images, train.labels.tolist(), augmentation, **SCALE)
    loader = DataLoader(images, options.batch, shuffle=True, **workers)
    size, weights = (options.size, options.size), torch.Generator()
    net = networks.build(options.model, CLASSES, size=size, generator=weights, weights=None).net
    net.to(device).train()
    rates = {"lr": SETTINGS["learning_rate"], "weight_decay": SETTINGS["weight_decay"]}
    optimizer = torch.optim.SGD(net.parameters(), momentum=0.9, nesterov=True, **rates)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, options.steps)
    step = 0
    while step < options.steps:
        for inputs, labels in loader:
            optimizer.zero_grad()
            loss = F.cross_entropy(net(inputs.to(device)), labels.to(device))
            loss.backward()
            torch.nn.utils.clip_grad_norm_(net.parameters(), SETTINGS["max_grad_norm"])
            optimizer.step()
            schedule.step()
            step += 1
            if step == options.steps:
                break
    images = PerImage(test.images, test.labels.tolist(), (), **SCALE)
    classify(net.eval(), DataLoader(images, 256, **workers), device)


@torch.inference_mode()
def classify(net: torch.nn.Module, loader: DataLoader, device: torch.device) -> None:
    for inputs, _ in loader:
        net(inputs.to(device)).argmax(1).cpu()


def main() -> None:
    options = parse_arguments()
    test = draw_images(options.test, options.size, "test")
    for n in options.images:
        args = draw_images(n, options.size, "training"), test, options
        script = partial(train_by_script, *args)
        race(
            {
                "`classifiers`": partial(train_here, *args),
                "script, two workers": partial(script, num_workers=2),
                "script, two workers that persist": partial(
                    script, num_workers=2, persistent_workers=True
                ),
                "script, no workers": partial(script, num_workers=0),
            },
            of=f"{options.model}, {options.steps} steps of {options.batch}, {n} images",
            options=options,
            goals={"script, two workers": GOAL},
            warm_up=False,
        )


if __name__ == "__main__":
    main()
