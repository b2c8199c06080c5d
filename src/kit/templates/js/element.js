// The element `my-element`: reads the notes of a made-up vendor, whose API is described in README.md. Make it yours.
// An element sends nothing itself: it says what it wants sent, gets the answers, and has no clock but `run.nowMs`.

import { Fault, faultOf, formatIso, next, pageSize, record, secret, url } from './tidegate.js';

/** The vendor's limit. */
const PAGE_MAX = 100;

/** The first step of an operation. */
export function begin(run) {
  switch (run.operation) {
    case 'check':
      return { send: [ask(run, 'me')], state: {} };
    case 'list':
      return { send: [page(run, null)], state: { cursor: null } };
    case 'get':
      return { send: [ask(run, `notes/${encodeURIComponent(run.args.id)}`)], state: {} };
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
  if (run.operation === 'check') return {};
  if (run.operation === 'get') return { records: [record(run, answer)] };

  if (!Array.isArray(answer?.notes)) throw Fault.retry('answer-unreadable', 'Acme sent a page without a list of `notes`');
  const records = answer.notes.map((note) => record(run, note));
  const cursor = next(state.cursor, answer.nextCursor);
  return cursor === null ? { records } : { records, send: [page(run, cursor)], state: { cursor } };
}

function page(run, cursor) {
  if (run.args.filter) throw Fault.badConfiguration('where', 'Acme cannot filter notes: leave out the where clause');
  const { window } = run.args;
  return ask(run, 'notes', {
    updated_since: window && formatIso(window.fromMs),
    limit: pageSize(run, PAGE_MAX),
    cursor,
  });
}

function ask(run, path, query) {
  return {
    url: url(run.configuration['my-element.url'], `v1/${path}`, query),
    headers: { Authorization: `Bearer ${secret('my-element.token')}` },
    lane: 'notes',
  };
}
