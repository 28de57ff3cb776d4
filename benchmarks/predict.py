"""The years that a peer finds in gold files, as predictions for `yearmark evaluate` (`make report`)."""

from __future__ import annotations

import json
from pathlib import Path

import click

from peers import PEERS
from yearmark.training.corpora import read

_NAMES = {"en_core_web_sm": "spaCy NER"} | {peer.name: peer.name for peer in PEERS}


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("peer", type=click.Choice(list(_NAMES)))
@click.argument("gold", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(dir_okay=False, path_type=Path))
def main(peer: str, gold: tuple[Path, ...], output: Path) -> None:
    """Write the years that PEER finds in the documents of GOLD to OUTPUT, JSON Lines."""
    (chosen,) = (one for one in PEERS if one.name == _NAMES[peer])
    finders = {}
    with output.open("w", encoding="utf-8") as file:
        for document in (document for path in gold for document in read(path)):
            if document.lang not in finders:
                finders[document.lang] = chosen.make(document.lang)
            years = [{"start": start, "end": end} for start, end in finders[document.lang](document.text)]
            file.write(json.dumps({"id": document.id, "years": years}, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
