"""The element `notes-python`: Acme Notes, a vendor that does not exist (../README.md), in Python.
Must give the very records that notes-js and notes-rust give: tests/languages.rs compares them."""

from tidegate import Fault, encode, fault_of, first_page, format_iso, next_page, page_size, query_of, record, secret, url

VENDOR = "Acme"
# The vendor's limit.
PAGE_MAX = 100
# What a where clause may ask for, and the parameter that does.
CONDITIONS = {"updatedAt >=": "updated_since", "tag =": "tag"}


def begin(run):
    match run.operation:
        case "check":
            return {"send": [ask(run, "me")]}
        case "get":
            return {"send": [ask(run, f"notes/{encode(run.args.id)}")]}
        case "list" | "sweep":
            return page(run, first_page())
    raise Fault.broken("operation-unknown", f"this element does not know the operation `{run.operation}`")


def advance(run, state, responses):
    [response] = responses
    if run.operation == "get" and response.status == 404:
        return {}
    fault = fault_of(response, VENDOR)
    if fault:
        raise fault
    answer = response.json()
    match run.operation:
        case "check":
            if not isinstance(answer, dict) or "id" not in answer:
                raise unreadable("an answer without the `id` of who the token belongs to")
            return {}
        case "get":
            return {"records": [found for found in [record_of(run, answer)] if not found.get("deleted")]}
    return read_page(run, state, answer)


def read_page(run, state, answer):
    if not isinstance(answer, dict) or not isinstance(answer.get("notes"), list):
        raise unreadable("a page without a list of `notes`")
    records = [record_of(run, note) for note in answer["notes"]]
    step = {"ids": [found["id"] for found in records]} if run.operation == "sweep" else {"records": records}
    place = next_page(state["place"], answer.get("nextCursor"))
    return step | (page(run, place) if place else {})


def record_of(run, note):
    if not isinstance(note, dict):
        raise unreadable("a note that is no object")
    body = dict(note)
    deleted = body.pop("deleted", False)
    if not isinstance(deleted, bool):
        raise unreadable("a note whose `deleted` is neither true nor false")
    # When it was created says nothing any more, and the vendor forgets it with the rest.
    gone = {"deleted": True, "body": None, "created": None}
    return record(run, body, **(gone if deleted else {}))


def page(run, place):
    window = getattr(run.args, "window", None)
    query = {"updated_since": window and format_iso(window.from_ms)}
    # It says more than the window, which the user may have put into it.
    query |= query_of(getattr(run.args, "filter", None), VENDOR, CONDITIONS)
    query |= {"include_deleted": "true" if window else None, "limit": page_size(run, PAGE_MAX), "cursor": place["at"]}
    return {"send": [ask(run, "notes", query)], "state": {"place": place}}


def ask(run, path, query=None):
    return {
        "url": url(run.configuration["notes.url"], f"v1/{path}", query),
        "headers": {"Authorization": f"Bearer {secret('notes.token')}"},
        "lane": "notes",
    }


def unreadable(found):
    return Fault.retry("answer-unreadable", f"{VENDOR} sent {found}")
