"""Corpus readers: every format becomes `Document`s; a bad row is an error with file and line."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path

from yearmark.training.document import LAYERS, Document, Mark

KLUE_TYPES = {"DT": "DATE", "TI": "TIME"}  # KLUE-NER's labels that are time expressions
_FULL_YEAR = re.compile(r"(?<!\d)(?<!\d[.,])(?:1\d|20)\d\d(?!\d)(?![.,]\d)")
_DOUBTFUL = re.compile(
    r"""(?<!\d) \d{1,4} (?=\s?(?:년|[Bb]\.?[Cc]\b|[Aa]\.?[Dd]\b)) | (?<=[-/–'’]) \d\d (?!\d)""",
    re.VERBOSE,
)


def read(source: str | Path, split: str = "train", layers: Collection[str] = LAYERS) -> Iterator[Document]:
    """The documents of a file, by its suffix, or of a Hugging Face dataset (a folder or hub name).

    ``layers`` are the fields of JSON Lines and datasets that are read as layers; other formats have theirs.

    ``.jsonl`` records with ``text`` and ``years``; ``.tml`` TimeML; ``.tsv`` KLUE-NER; ``.conllu``
    texts without labels; ``.spacy`` DocBin with ``spans["years"]``.
    """
    path = Path(source)
    if path.suffix in READERS:
        if not path.is_file():
            raise FileNotFoundError(f"{path}: there is no such file")
        if path.suffix == ".jsonl":
            return read_jsonl(path, layers)
        return READERS[path.suffix](path)
    if path.is_file():
        raise ValueError(f"{path}: unknown kind of corpus; expected one of {', '.join(READERS)}")
    return read_dataset(str(source), split, layers)


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Numbered lines; a ValueError where one is not UTF-8."""
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                yield number, line.decode("utf-8").rstrip("\r\n")
            except UnicodeDecodeError as error:
                raise ValueError(
                    f"{path}:{number}: byte {error.start + 1} of the line is not UTF-8; "
                    "convert the file to UTF-8"
                ) from None


def read_jsonl(path: Path, layers: Collection[str] = LAYERS) -> Iterator[Document]:
    """Our own format: one JSON object a line (see `Document.from_record`)."""
    for number, line in _lines(path):
        if not line.strip():
            continue
        where = f"{path}:{number}"
        try:
            record = json.loads(line)
        except json.JSONDecodeError as error:
            raise ValueError(f"{where}: not valid JSON: {error}") from None
        if not isinstance(record, dict):
            raise ValueError(f"{where}: expected a JSON object, got {type(record).__name__}")
        yield Document.from_record(record, where, layers)


def read_timeml(path: Path) -> Iterator[Document]:
    """One TimeML document: the text of TEXT, its TIMEX3, and the years they name."""
    try:
        root = ElementTree.parse(path).getroot()
    except ElementTree.ParseError as error:
        raise ValueError(f"{path}:{error.position[0]}: not well-formed XML: {error}") from None
    body = root.find("TEXT") if root.tag != "TEXT" else root
    if body is None:
        raise ValueError(f"{path}:1: no TEXT element; expected a TimeML document")
    pieces: list[str] = []
    timexes: list[Mark] = []

    def walk(element: ElementTree.Element) -> None:
        start = sum(map(len, pieces))
        pieces.append(element.text or "")
        for child in element:
            walk(child)
            pieces.append(child.tail or "")
        if element.tag == "TIMEX3":
            end = sum(map(len, pieces))
            if "type" not in element.attrib:
                raise ValueError(f"{path}: TIMEX3 {element.get('tid')!r} has no type")
            if start < end:  # an empty one stands for what the text leaves unsaid
                timexes.append(Mark(start, end, element.attrib["type"], element.get("value")))

    walk(body)
    yield with_years(Document(path.stem, "".join(pieces), "timeml", marks={"timexes": timexes}))


def read_klue(path: Path) -> Iterator[Document]:
    """KLUE-NER: a line ``## id<TAB>sentence``, then one character and its BIO tag a line."""
    name, characters, labels = "", list[str](), list[str]()

    def document() -> Document:
        marks, start = [], 0
        for position, tag in enumerate([*labels, "O"]):
            if tag.startswith("I-"):
                continue
            if position and labels[position - 1] != "O":
                kind = labels[position - 1][2:]
                if kind in KLUE_TYPES:
                    marks.append(Mark(start, position, KLUE_TYPES[kind]))
            start = position
        text = "".join(characters)
        return with_years(Document(name, text, "klue", "CC BY-SA 4.0", "ko", marks={"timexes": marks}))

    for number, line in _lines(path):
        if line.startswith("## "):
            if characters:
                yield document()
            name, characters, labels = line[3:].split("\t")[0], [], []
        elif line:
            character, tab, tag = line.rpartition("\t")
            if not tab or len(character) != 1 or not re.fullmatch(r"O|[BI]-[A-Z]+", tag):
                raise ValueError(
                    f"{path}:{number}: expected one character, a tab and a tag (O, B-DT, …), got {line!r}"
                )
            characters.append(character)
            labels.append(tag)
    if characters:
        yield document()


def read_conllu(path: Path) -> Iterator[Document]:
    """The sentences of a CoNLL-U file, without labels."""
    import conllu

    block: list[str] = []
    first = 1
    for number, line in [*_lines(path), (0, "")]:
        if line:
            if not block:
                first = number
            block.append(line)
        elif block:
            try:
                (sentence,) = conllu.parse("\n".join(block) + "\n\n")
            except (conllu.exceptions.ParseException, ValueError) as error:
                raise ValueError(f"{path}:{first}: not a CoNLL-U sentence: {error}") from None
            metadata = sentence.metadata
            text = metadata.get("text") or " ".join(token["form"] for token in sentence)
            yield Document(metadata.get("sent_id") or f"{path}:{first}", text, path.stem)
            block = []


def read_docbin(path: Path) -> Iterator[Document]:
    """A spaCy DocBin; years are ``doc.spans["years"]``, where a document has them."""
    from spacy.tokens import DocBin
    from spacy.vocab import Vocab

    try:
        docs = DocBin().from_disk(path).get_docs(Vocab())
    except (ValueError, OSError) as error:
        raise ValueError(f"{path}: not a spaCy DocBin: {error}") from None
    for number, doc in enumerate(docs):
        marks = {}
        if "years" in doc.spans:
            marks["years"] = [Mark(span.start_char, span.end_char) for span in doc.spans["years"]]
        yield Document(f"{path}:{number}", doc.text, path.stem, marks=marks)


def read_dataset(source: str, split: str, layers: Collection[str]) -> Iterator[Document]:
    """A Hugging Face dataset with the fields of our JSON Lines."""
    import datasets

    path = Path(source)
    if (path / "dataset_info.json").exists() or (path / "dataset_dict.json").exists():
        loaded = datasets.load_from_disk(source)
        rows = loaded[split] if isinstance(loaded, datasets.DatasetDict) else loaded
    else:
        rows = datasets.load_dataset(source, split=split)
    for number, row in enumerate(rows):
        yield Document.from_record(row, f"{source}:{split}:{number}", layers)


def with_years(document: Document) -> Document:
    """The document with years derived from its time expressions.

    A number from 1000 to 2099 inside a DATE, with the year of its value where it has one, is a year.
    The same outside of every time expression, and years of fewer digits, may be one: unsure.
    """
    dates = [mark for mark in document.marks["timexes"] if mark.label == "DATE"]
    years, unsure = [], []
    for found in _FULL_YEAR.finditer(document.text):
        start, end = found.span()
        around = next((date for date in dates if date.start <= start and end <= date.end), None)
        counted = re.match(r"\s?년(?!\s?도?에?\s?도?$|[\s도에의부까은이을중말초생])", document.text[end:])
        if around and (around.value is None or found[0] in around.value) and not counted:
            years.append(Mark(start, end, value=found[0]))
        else:
            unsure.append((start, end))
    taken = {(mark.start, mark.end) for mark in years} | set(unsure)
    unsure += [m.span() for m in _DOUBTFUL.finditer(document.text) if m.span() not in taken]
    return Document(
        document.id,
        document.text,
        document.source,
        document.license,
        document.lang,
        {**document.marks, "years": years},
        {**document.unsure, "years": unsure},
    )


READERS: Mapping[str, Callable[[Path], Iterator[Document]]] = {
    ".jsonl": read_jsonl,
    ".tml": read_timeml,
    ".tsv": read_klue,
    ".conllu": read_conllu,
    ".spacy": read_docbin,
}
