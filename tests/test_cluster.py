"""Tagging by Ray on a real cluster of two nodes on this machine, and the function that others call."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import yearmark

BIN = Path(sys.executable).parent
ENVIRONMENT = {**os.environ, "RAY_AUTH_MODE": "disabled"}
RECORDS = [
    {"id": k, "text": f"In {1900 + k % 120}, {k} men went to room {1800 + k % 90}.", "deep": {"a": [k, None]}}
    for k in range(3_000)
]


# ---- one function for datasets, Ray Data and Spark


def test_a_batch_gets_a_column_of_years(tagger: yearmark.Tagger) -> None:
    batch = {"text": ["In 2009, I went to Nepal.", None, "no year"], "n": [1, 2, 3]}
    found = tagger.map_batch(batch)
    assert found["n"] == [1, 2, 3]
    (year,), *others = found["years"]
    assert (year["start"], year["end"], year["text"], year["value"]) == (3, 7, "2009", "2009")
    assert others == [[], []]
    assert "years" not in batch
    with pytest.raises(KeyError, match="no column 'body', only 'text', 'n'"):
        tagger.map_batch(batch, "body")


def test_datasets_map(tagger: yearmark.Tagger) -> None:
    import datasets

    rows = datasets.Dataset.from_list([{"text": "In 2009, I went to Nepal."}, {"text": "room 1999"}])
    tagged = rows.map(tagger.map_batch, batched=True, new_fingerprint="years")
    assert [[year["value"] for year in years] for years in tagged["years"]] == [["2009"], []]


# ---- a cluster


class Cluster:
    """A head and a second node, each with one core."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.address = f"127.0.0.1:{free.getsockname()[1]}"
        port = self.address.rpartition(":")[2]
        head = ["--head", f"--port={port}", "--include-dashboard=false", f"--temp-dir={folder}"]
        self.nodes = [self._start(*head)]
        self._wait(1)
        self.nodes.append(self._start(f"--address={self.address}"))
        self._wait(2)

    def _start(self, *options: str) -> subprocess.Popen[bytes]:
        size = "--object-store-memory=200000000"
        return subprocess.Popen(
            [BIN / "ray", "start", *options, "--block", "--num-cpus=1", size, "--node-ip-address=127.0.0.1"],
            env=ENVIRONMENT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def _wait(self, nodes: int) -> None:
        """Until the cluster says that so many nodes are alive."""
        code = (
            f"import ray; ray.init({self.address!r}, log_to_driver=False, logging_level='ERROR')\n"
            f"import time, sys\nfor _ in range(60):\n"
            f"    if sum(node['Alive'] for node in ray.nodes()) >= {nodes}: sys.exit()\n    time.sleep(0.5)\n"
            "sys.exit('no')"
        )
        for _ in range(20):
            done = subprocess.run([sys.executable, "-c", code], env=ENVIRONMENT, capture_output=True)
            if done.returncode == 0:
                return
            time.sleep(1)
        raise AssertionError(done.stderr.decode())

    def kill(self, node: int) -> None:
        """As a machine goes: all of its processes at once."""
        os.killpg(self.nodes[node].pid, signal.SIGKILL)
        self.nodes[node].wait()


@pytest.fixture
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    found = Cluster(tmp_path_factory.mktemp("ray"))
    yield found
    for node in range(2):
        with contextlib.suppress(ProcessLookupError):
            found.kill(node)


def start(*arguments: object) -> subprocess.Popen[bytes]:
    words = [str(word) for word in (BIN / "yearmark", "tag", *arguments)]
    return subprocess.Popen(words, env=ENVIRONMENT, stderr=subprocess.PIPE)


def ended(process: subprocess.Popen[bytes]) -> tuple[int, str]:
    with process:
        _, err = process.communicate(timeout=300)
        return process.returncode, err.decode()


def rows(folder: Path) -> list[dict]:
    return [
        json.loads(line) for part in sorted(folder.glob("*.jsonl")) for line in part.read_bytes().splitlines()
    ]


@pytest.mark.long
def test_a_cluster_gives_the_rows_of_one_machine(cluster: Cluster, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    lines = [json.dumps(record) for record in RECORDS]
    lines[1234] = '{"text": 7}'
    (folder / "a.jsonl").write_text("\n".join(lines) + "\n")
    (folder / "b.jsonl").write_text('{"text": "Born in 1987."}\n')  # gets an id of its place
    code, err = ended(start(folder, "-o", tmp_path / "local.jsonl", "--rejects", tmp_path / "r1"))
    assert code == 1, err
    ray = ("--engine", "ray", "--ray-address", cluster.address)
    code, err = ended(start(folder, *ray, "-o", tmp_path / "out", "--rejects", tmp_path / "r2"))
    assert code == 1, err
    assert rows(tmp_path / "out") == [
        json.loads(line) for line in (tmp_path / "local.jsonl").read_bytes().splitlines()
    ]
    assert (tmp_path / "r2").read_bytes() == (tmp_path / "r1").read_bytes()
    assert (tmp_path / "out/_SUCCESS").exists()

    again = start(folder, *ray, "-o", tmp_path / "out", "--errors", "skip")
    assert (lambda code, err: (code, "exists already" in err))(*ended(again)) == (2, True)
    code, err = ended(start(folder, *ray, "-o", tmp_path / "stops"))
    assert (code, "a.jsonl:1235: the field 'text' holds int" in err) == (2, True)
    assert not (tmp_path / "stops/_SUCCESS").exists()

    table = pa.Table.from_pylist(RECORDS)
    pq.write_table(table, tmp_path / "in.parquet")
    address = (tmp_path / "in.parquet").as_uri()
    code, err = ended(start(address, *ray, "-o", (tmp_path / "tables").as_uri(), "--format", "parquet"))
    assert code == 0, err
    code, err = ended(start(tmp_path / "in.parquet", "-o", tmp_path / "local.parquet"))
    assert code == 0, err
    parts = pa.concat_tables([pq.read_table(p) for p in sorted((tmp_path / "tables").glob("part-*"))])
    local = pq.read_table(tmp_path / "local.parquet")
    assert parts.equals(local)
    assert parts.drop_columns(["years"]).equals(table)


@pytest.mark.long
def test_a_node_that_dies_loses_nothing(cluster: Cluster, tmp_path: Path) -> None:
    source, output = tmp_path / "in.jsonl", tmp_path / "out"
    with source.open("w") as file:
        for k in range(120_000):
            file.write(json.dumps({**RECORDS[k % 3_000], "id": k}) + "\n")
    ray = ("--engine", "ray", "--ray-address", cluster.address, "--shard-size", "1MB")
    process = start(source, *ray, "-o", output)
    while not list(output.glob("part-*")):
        assert process.poll() is None, ended(process)
        time.sleep(0.05)
    cluster.kill(1)
    code, err = ended(process)
    assert code == 0, err
    assert [row["id"] for row in rows(output)] == list(range(120_000))
    code, err = ended(start(source, "-o", tmp_path / "local.jsonl"))
    assert code == 0, err
    assert rows(output) == [json.loads(line) for line in (tmp_path / "local.jsonl").read_bytes().splitlines()]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--engine", "ray"), "takes neither standard input nor --retry"),
        (("--engine", "ray", "in.jsonl"), "writes jsonl or parquet into the folder"),
        (("--engine", "ray", "in.jsonl", "-o", "x.csv"), "writes jsonl or parquet into the folder"),
        (("s3://bucket/in.jsonl",), "with --engine ray alone"),
        (("in.jsonl", "--ray-address", "auto"), "--ray-address needs --engine ray"),
    ],
)
def test_what_the_engine_does_not_do_is_said(command, arguments: tuple[str, ...], message: str) -> None:
    done = command("tag", *arguments)
    assert (done.returncode, message in done.stderr.decode()) == (2, True), done.stderr


def test_the_examples_of_the_page_run() -> None:
    page = (Path(__file__).parents[1] / "docs/cluster.md").read_text("utf-8")
    mapped, _, spark = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    scope: dict = {}
    exec(mapped, scope)
    assert scope["rows"]["years"][0][0]["value"] == "2009"
    exec(spark.partition("\n\n\nyears = ")[0], scope)  # what Spark calls, without Spark
    (frame,) = scope["tag"](iter([pd.DataFrame({"id": ["a"], "text": ["In 2009, I went to Nepal."]})]))
    assert (frame["id"][0], frame["years"][0][0]["value"]) == ("a", "2009")
