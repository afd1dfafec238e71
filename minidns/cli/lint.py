"""`minidns lint`: everything there is to say against manifests."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from minidns.config.settings import Manifests
from minidns.source.manifests.source import ManifestSource


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", type=Path, metavar="PATH", help="a folder of YAML, or one file; - reads input")
    parser.add_argument("--namespace", default="default", metavar="NAME", help="of objects that name none (default)")


def run(arguments: argparse.Namespace) -> int:
    """Print it, a line each. 0 when there is nothing, 1 otherwise. Raises ManifestError when there is no such path."""
    logging.getLogger("minidns.manifests").setLevel(logging.CRITICAL)  # what it logs is printed here, all of it
    options = Manifests(path=arguments.path, namespace=arguments.namespace)
    source = ManifestSource(options.path, options.service_cidrs, options.pod_cidrs, options.namespace)
    source.load()
    for line in (lines := source.complaints()):
        print(line)
    return 1 if lines else 0
