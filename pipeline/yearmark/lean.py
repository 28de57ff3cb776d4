"""For processes of our own that tag and do nothing else."""

from __future__ import annotations

import sys


def hide_unused_packages() -> None:
    """Keep spaCy from importing array libraries that it looks for and tagging has no use for.

    Where torch is installed, it costs seconds at the start and 200 MB. To be called before spaCy is
    imported, and never in a process that is not ours alone.
    """
    for name in ("torch", "tensorflow", "mxnet", "cupy"):
        sys.modules.setdefault(name, None)  # type: ignore[arg-type]
