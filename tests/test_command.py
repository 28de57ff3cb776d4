"""The command, as processes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

NEPAL = b"I went to Nepal in 2009.\nIn 2009, I went to Nepal.\n2009 people went to Nepal in room 1999.\n"


def lines(output: bytes) -> list[dict]:
    return [json.loads(line) for line in output.splitlines()]


def test_standard_input_is_one_document_a_line(command) -> None:
    done = command("tag", stdin=NEPAL)
    assert done.returncode == 0
    assert done.stderr == b""
    found = lines(done.stdout)
    assert [row["id"] for row in found] == ["-:1", "-:2", "-:3"]
    assert [[year["text"] for year in row["years"]] for row in found] == [["2009"], ["2009"], []]
    assert set(found[0]["years"][0]) == {"start", "end", "text", "value", "score"}


def test_files_and_folders(command, tmp_path: Path) -> None:
    (tmp_path / "b.txt").write_bytes(NEPAL)
    record = {"n": 1, "id": "x", "text": "In 2009, 눈", "years": "old", "deep": {"a": [1, None]}}
    (tmp_path / "a.jsonl").write_text(json.dumps(record) + "\n\n" + '{"text": "1999"}\n', "utf-8")
    output = tmp_path / "out.json"
    done = command("tag", tmp_path, "--output", output)
    assert done.returncode == 0
    assert done.stdout == b""
    assert done.stderr.count(b"'years' is replaced") == 1
    first, second, third = lines(output.read_bytes())
    assert {k: v for k, v in first.items() if k != "years"} == {
        k: v for k, v in record.items() if k != "years"
    }
    assert list(first) == list(record)
    assert first["years"][0]["value"] == "2009"
    assert second["id"] == f"{tmp_path}/a.jsonl:3"
    assert third["id"] == f"{tmp_path}/b.txt:1"
    assert third["text"] == NEPAL.decode()


def test_text_format_marks_years(command) -> None:
    done = command("tag", "--format", "text", stdin=NEPAL)
    assert "In ⟦2009⟧, I went to Nepal." in done.stdout.decode()
    assert "2009 people went to Nepal in room 1999.\n   no year" in done.stdout.decode()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl", b'{"text": "x"}\n{"text": \n', "a.jsonl:2: not valid JSON"),
        ("a.jsonl", b'{"text": "x"}\n["x"]\n', "a.jsonl:2: expected a JSON object, got list"),
        ("a.jsonl", b'{"body": "x"}\n', "a.jsonl:1: the field 'text' has no text; the record has 'body'"),
        ("a.jsonl", b'{"text": 7}\n', "a.jsonl:1: the field 'text' holds int"),
        ("a.jsonl", b'{"text": "x"}\n{"text": "caf\xe9"}\n', "a.jsonl:2: byte 0xe9"),
        ("a.txt", b"ok\nok\ncaf\xe9\n", "a.txt:3: byte 0xe9"),
        ("a.pdf", b"x", "expected a file that ends in .txt or .jsonl, .ndjson, .csv"),
    ],
)
def test_bad_input_is_a_clear_error(command, tmp_path: Path, name: str, content: bytes, message: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    output = tmp_path / "out.jsonl"
    done = command("tag", path, "--output", output)
    assert done.returncode == 2
    assert message in done.stderr.decode()
    assert b"Traceback" not in done.stderr
    assert not output.exists()


def test_a_missing_file_and_a_wrong_model(command, tmp_path: Path) -> None:
    done = command("tag", tmp_path / "none.txt")
    assert (done.returncode, b"there is no such file" in done.stderr) == (2, True)
    done = command("tag", "--model", tmp_path, stdin=b"x")
    assert (done.returncode, b"is no model folder" in done.stderr) == (2, True)


def test_text_field_names_the_field(command, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"body": "In 2009, I went."}\n')
    (row,) = lines(command("tag", path, "--text-field", "body").stdout)
    assert row["body"][row["years"][0]["start"] :].startswith("2009")


def test_a_closed_pipe_ends_quietly(tmp_path: Path) -> None:
    path = tmp_path / "many.jsonl"
    path.write_text('{"text": "In 2009, I went to Nepal."}\n' * 20_000)
    yearmark = Path(sys.executable).with_name("yearmark")
    done = subprocess.run(f"{yearmark} tag {path} | head -n 1", shell=True, capture_output=True, timeout=120)
    assert len(lines(done.stdout)) == 1
    assert done.stderr == b""
