// The element `my-element`: reads the notes of a made-up vendor, whose API is described in README.md. Make it yours.
// An element sends nothing itself: it says what it wants sent, gets the answers, and has no clock but `run.nowMs`.

import { Fault, encode, faultOf, firstPage, formatIso, nextPage, pageSize, queryOf, record, secret, url } from './tidegate.js';

/** The vendor's limit. */
const PAGE_MAX = 100;
/** What a where clause may ask for, and the parameter that does. A poll's clause asks for what changed since the last one. */
const CONDITIONS = { 'updatedAt >=': 'updated_since' };

/** The first step of an operation. */
export function begin(run) {
  switch (run.operation) {
    case 'check':
      return { send: [ask(run, 'me')] };
    case 'list':
      return page(run, firstPage());
    case 'get':
      return { send: [ask(run, `notes/${encode(run.args.id)}`)] };
    default:
      throw Fault.broken('operation-unknown', `this element does not know the operation \`${run.operation}\``);
  }
}

/** The next step: `state` is what the last one left, `responses` are the answers to what it sent. */
export function advance(run, state, [response]) {
  if (run.operation === 'get' && response.status === 404) return {};
  const fault = faultOf(response, 'Acme');
  if (fault) throw fault;
  const answer = response.json();
  if (run.operation === 'get') return { records: [record(run, answer)] };
  if (run.operation === 'check' && answer?.id !== undefined) return {};
  // Whatever else an answer is (a page of HTML, an error with status 200), it must not be taken for the end of the notes.
  if (!Array.isArray(answer?.notes)) throw Fault.retry('answer-unreadable', 'Acme sent a page without a list of `notes`');

  const records = answer.notes.map((note) => record(run, note));
  const place = nextPage(state.place, answer.nextCursor);
  return { records, ...(place && page(run, place)) };
}

function page(run, place) {
  const { window, filter } = run.args;
  const query = {
    updated_since: window && formatIso(window.fromMs),
    // It says more than the window. What the vendor cannot be asked for is refused in words.
    ...queryOf(filter, 'Acme', CONDITIONS),
    limit: pageSize(run, PAGE_MAX),
    cursor: place.at,
  };
  return { send: [ask(run, 'notes', query)], state: { place } };
}

function ask(run, path, query) {
  return {
    url: url(run.configuration['my-element.url'], `v1/${path}`, query),
    headers: { Authorization: `Bearer ${secret('my-element.token')}` },
    lane: 'notes',
  };
}
