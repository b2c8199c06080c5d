"""Runs the table of vectors.json on the kit for Python, in an ordinary Python: `python3 vectors.py KIT TABLE` prints what
came of it. Must not know what should come of it: tests/languages.rs compares."""

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType


class Anything:
    """Stands for the modules that only a component has; nothing in the table uses them."""

    def __getattr__(self, name):
        return Anything()


def load(path):
    names = ["componentize_py_types", "wit_world", "wit_world.imports"]
    types, world, imports = modules = [ModuleType(name) for name in names]
    types.Err, world.imports, imports.log, imports.types = Exception, imports, Anything(), Anything()
    sys.modules |= dict(zip(names, modules))
    sys.dont_write_bytecode = True
    spec = importlib.util.spec_from_file_location("tidegate", path)
    kit = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(kit)
    return kit


kit = load(sys.argv[1])


def or_code(call, member="code"):
    try:
        return call()
    except kit.Fault as fault:
        return {"fault": getattr(fault, member)}


def fails(text):
    try:
        kit.parse_json(text.encode())
        return False
    except ValueError:
        return True


def walk(tokens):
    place, pages = kit.first_page(), 0
    for token in tokens:
        pages += 1
        place = kit.next_page(place, token)
        if place is None:
            break
    return pages


def at(place):
    return place and place["at"]


FUNCTIONS = {
    "parseIso": kit.parse_iso,
    "formatIso": kit.format_iso,
    "encode": kit.encode,
    "canonical": lambda text: kit.canonical(kit.parse_json(text)),
    "parseJsonFails": fails,
    "nextLink": kit.next_link,
    "nextUrl": lambda pair: or_code(lambda: at(kit.next_url(kit.first_page(pair[0]), pair[1]))),
    "walk": lambda tokens: or_code(lambda: walk(tokens)),
    "queryOf": lambda where: or_code(
        lambda: kit.query_of(where, "Acme", {"tag =": "tag", "at >=": "since"}, ","), "message"
    ),
}

table = json.loads(Path(sys.argv[2]).read_text(encoding="utf-8"))
results = {name: [[row[0], FUNCTIONS[name](row[0])] for row in rows] for name, rows in table.items()}
sys.stdout.buffer.write(json.dumps(results, ensure_ascii=False).encode())
