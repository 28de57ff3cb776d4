"""Tagging on many machines: units of work read, tagged and written by the workers of a Ray cluster.

Every file is cut into units by a task, tagged by actors that each hold one model, and written as the parts
of a folder. Ray hands out, holds back, and does again what was lost with a node.
"""

from __future__ import annotations

import io
import logging
import pickle
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pyarrow as pa

from yearmark.archive.formats import FORMATS, Staged
from yearmark.archive.sources import PIECE, Place, Source, file_system, pieces, units
from yearmark.archive.work import Result, Settings, Tagging
from yearmark.lean import hide_unused_packages

FORMS = ("jsonl", "parquet")
DONE = (
    "_SUCCESS"  # the empty file that stands beside the parts when all are there, as Spark and Hadoop have it
)
UNITS = 16  # tagged by one call of an actor: some seconds' work, which a lost node costs
SHARD = 128 << 20  # bytes of input in a part


def tag(
    sources: list[Source], settings: Settings, output: str, shard_size: int | None, actors: int | None
) -> Iterator[Result]:
    """Tag all sources into the folder ``output``; the results without their bytes, as they come.

    ``actors`` is how many models work at once; None: as many as the cluster has cores.
    """
    import ray
    import ray.data

    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    cores = max(1, int(ray.cluster_resources().get("CPU", 1)))  # type: ignore[no-untyped-call]
    pool = ray.data.ActorPoolStrategy(min_size=1, max_size=actors or cores)
    rows = [{"number": number, "source": pickle.dumps(source)} for number, source in enumerate(sources)]
    tagged = (
        ray.data.from_items(rows, override_num_blocks=len(rows))
        # without a core of its own, so that it is not made one with the tagging of what it cuts
        .map_batches(
            partial(_cut, most_chars=settings.fields.most_chars),
            batch_size=1,
            batch_format="pyarrow",
            num_cpus=0,
        )
        .repartition(target_num_rows_per_block=UNITS)
        .map_batches(
            _Actor,
            fn_constructor_kwargs={"settings": settings},
            compute=pool,
            batch_size=UNITS,
            batch_format="pyarrow",
            num_cpus=1,
        )
        .map_batches(
            partial(_write, form=settings.form, output=output),
            batch_size=max(1, (shard_size or SHARD) // PIECE),
            batch_format="pyarrow",
            num_cpus=0,
        )
    )
    try:
        for row in tagged.iter_rows():
            yield pickle.loads(row["result"])
    except ray.exceptions.RayError as error:
        reason = str(error.__cause__ or error).strip().splitlines()
        raise OSError(
            f"Ray could not finish the run: {reason[-1] if reason else type(error).__name__}"
        ) from None


def start(address: str | None) -> None:
    """Join the cluster at the address, or begin one on this machine."""
    import ray

    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, include_dashboard=None)
    except ConnectionError as error:
        raise ValueError(f"--ray-address {address}: there is no Ray cluster to join: {error}") from None


def _cut(batch: pa.Table, most_chars: int) -> Iterator[pa.Table]:
    """The units of the files of a batch, packed."""
    for number, packed in zip(batch["number"].to_pylist(), batch["source"].to_pylist(), strict=True):
        cut = pieces([pickle.loads(packed)], most_chars, Place(), None)
        for unit in units(cut):
            own = [replace(piece, start=piece.start._replace(source=number)) for piece in unit]
            yield pa.table({"unit": [pickle.dumps(own)]})


class _Actor:
    """A model, loaded once, and the units that it tags."""

    def __init__(self, settings: Settings) -> None:
        hide_unused_packages()
        self._tagging = Tagging(settings)

    def __call__(self, batch: pa.Table) -> pa.Table:
        """Units to results: their output apart, so that it is not unpacked before it is written."""
        rows = []
        for packed in batch["unit"].to_pylist():
            unit = pickle.loads(packed)
            result = self._tagging(0, unit)
            output, result.output = result.output, b""
            start = unit[0].start
            rows.append(
                {
                    "source": start.source,
                    "offset": start.offset,
                    "output": output,
                    "result": pickle.dumps(result),
                }
            )
        return pa.Table.from_pylist(rows, schema=_ROWS)


_ROWS = pa.schema(
    [
        ("source", pa.int64()),
        ("offset", pa.int64()),
        ("output", pa.large_binary()),
        ("result", pa.binary()),
    ]
)


def _write(batch: pa.Table, form: str, output: str) -> pa.Table:
    """Write a part, and hand on what is left of the results.

    A part is named by its first unit. A part that is written twice, since Ray does lost work again, has
    the same name and takes the first one's place.
    """
    batch = batch.sort_by([("source", "ascending"), ("offset", "ascending")])
    outputs = batch["output"].to_pylist()
    if any(outputs):
        first = batch.slice(0, 1).to_pylist()[0]
        name = f"part-{first['source']:06}-{first['offset']:012}.{FORMATS[form].suffix}"
        with tempfile.TemporaryDirectory() as folder:
            part = Path(folder) / name
            _gather(outputs, form, part)
            _put(part, output, name)
    return batch.select(["result"])


def _gather(outputs: list[bytes], form: str, path: Path) -> None:
    kind = FORMATS[form]
    if kind.gather is None:
        path.write_bytes(b"".join(outputs))
    else:
        joined = b"".join(outputs)
        kind.gather(Staged(io.BytesIO(joined), 0, len(joined)), path)


def _put(part: Path, output: str, name: str) -> None:
    """Copy a file into the output's folder, where it appears whole."""
    system, folder = file_system(output)
    partial = f"{folder}/.{name}.partial"
    with part.open("rb") as file, system.open_output_stream(partial) as target:
        while block := file.read(PIECE):
            target.write(block)
    system.move(partial, f"{folder}/{name}")


def prepare(output: str, force: bool) -> None:
    """Make the output's folder. Raises FileExistsError where there is something in it that may stay."""
    from pyarrow.fs import FileSelector, FileType

    system, folder = file_system(output)
    found = system.get_file_info(FileSelector(folder, allow_not_found=True))
    names = [info.base_name for info in found]
    ours = all(name == DONE or name.lstrip(".").startswith("part-") for name in names)
    if system.get_file_info(folder).type == FileType.File or (names and not (force and ours)):
        fix = "--force overwrites it" if ours else "it holds other files than a run's parts: name another"
        raise FileExistsError(f"{output} exists already; {fix}")
    system.create_dir(folder)
    for info in found:
        system.delete_file(info.path)


def finish(output: str) -> None:
    """Say that the parts are all there."""
    system, folder = file_system(output)
    with system.open_output_stream(f"{folder}/{DONE}"):
        pass
