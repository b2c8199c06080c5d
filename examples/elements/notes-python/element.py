"""The element `notes-python`: Acme Notes, a vendor that does not exist (../README.md), in Python.
Must give the very records that notes-js and notes-rust give: tests/languages.rs compares them."""

from tidegate import Fault, encode, fault_of, format_iso, next_page, page_size, record, secret, terms, url

VENDOR = "Acme"
# The vendor's limit.
PAGE_MAX = 100


def begin(run):
    match run.operation:
        case "check":
            return {"send": [ask(run, "me")]}
        case "get":
            return {"send": [ask(run, f"notes/{encode(run.args.id)}")]}
        case "list" | "sweep":
            return {"send": [page(run, None)], "state": {"cursor": None}}
    raise Fault.broken("operation-unknown", f"this element does not know the operation `{run.operation}`")


def advance(run, state, responses):
    [response] = responses
    if run.operation == "get" and response.status == 404:
        return {}
    fault = fault_of(response, VENDOR)
    if fault:
        raise fault
    answer = response.json()
    if run.operation == "check":
        return {}
    if run.operation == "get":
        return {"records": [found for found in [record_of(run, answer)] if not found.get("deleted")]}

    if not isinstance(answer, dict) or not isinstance(answer.get("notes"), list):
        raise Fault.retry("answer-unreadable", f"{VENDOR} sent a page without a list of `notes`")
    records = [record_of(run, note) for note in answer["notes"]]
    step = {"ids": [found["id"] for found in records]} if run.operation == "sweep" else {"records": records}
    cursor = next_page(state["cursor"], answer.get("nextCursor"))
    if cursor is not None:
        step |= {"send": [page(run, cursor)], "state": {"cursor": cursor}}
    return step


def record_of(run, note):
    if not isinstance(note, dict):
        raise Fault.retry("answer-unreadable", f"{VENDOR} sent a note that is no object")
    body = {name: value for name, value in note.items() if name != "deleted"}
    changes = {"deleted": True, "body": None} if note.get("deleted") is True else {}
    return record(run, body, **changes)


def page(run, cursor):
    window = getattr(run.args, "window", None)
    query = {"updated_since": window and format_iso(window.from_ms)}
    query |= conditions(getattr(run.args, "filter", None))
    query |= {"include_deleted": "true" if window else None, "limit": page_size(run, PAGE_MAX), "cursor": cursor}
    return ask(run, "notes", query)


def conditions(where):
    """The where clause as parameters. It says more than the window, which the user may have put into it."""
    parameters = {}
    for term in terms(where):
        match term:
            case {"field": "updatedAt", "op": ">=", "value": value}:
                parameters["updated_since"] = value
            case {"field": "tag", "op": "=", "value": value}:
                parameters["tag"] = value
            case _:
                found = f"{term['field']} {term['op']}" if "field" in term else term["op"]
                raise Fault.bad_configuration(
                    "where",
                    f"{VENDOR} cannot filter by `{found}`: it takes `updatedAt >=` and `tag =`, joined by `and`",
                )
    return parameters


def ask(run, path, query=None):
    return {
        "url": url(run.configuration["notes.url"], f"v1/{path}", query),
        "headers": {"Authorization": f"Bearer {secret('notes.token')}"},
        "lane": "notes",
    }
