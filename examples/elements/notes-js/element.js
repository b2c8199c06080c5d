// The element `notes-js`: Acme Notes, a vendor that does not exist (../README.md), in JavaScript.
// Must give the very records that notes-python and notes-rust give: tests/languages.rs compares them.

import { Fault, encode, faultOf, formatIso, next, pageSize, record, secret, terms, url } from './tidegate.js';

const VENDOR = 'Acme';
/** The vendor's limit. */
const PAGE_MAX = 100;

export function begin(run) {
  switch (run.operation) {
    case 'check':
      return { send: [ask(run, 'me')] };
    case 'get':
      return { send: [ask(run, `notes/${encode(run.args.id)}`)] };
    case 'list':
    case 'sweep':
      return { send: [page(run, null)], state: { cursor: null } };
    default:
      throw Fault.broken('operation-unknown', `this element does not know the operation \`${run.operation}\``);
  }
}

export function advance(run, state, [response]) {
  if (run.operation === 'get' && response.status === 404) return {};
  const fault = faultOf(response, VENDOR);
  if (fault) throw fault;
  const answer = response.json();
  if (run.operation === 'check') return {};
  if (run.operation === 'get') return { records: [recordOf(run, answer)].filter(({ deleted }) => !deleted) };

  if (!Array.isArray(answer?.notes)) throw Fault.retry('answer-unreadable', `${VENDOR} sent a page without a list of \`notes\``);
  const found =
    run.operation === 'sweep'
      ? { ids: answer.notes.map((note) => recordOf(run, note).id) }
      : { records: answer.notes.map((note) => recordOf(run, note)) };
  const cursor = next(state.cursor, answer.nextCursor);
  return cursor === null ? found : { ...found, send: [page(run, cursor)], state: { cursor } };
}

function recordOf(run, note) {
  if (note === null || typeof note !== 'object') throw Fault.retry('answer-unreadable', `${VENDOR} sent a note that is no object`);
  const { deleted, ...body } = note;
  return record(run, body, deleted === true ? { deleted: true, body: null } : {});
}

function page(run, cursor) {
  const { window, filter } = run.args;
  return ask(run, 'notes', {
    updated_since: window && formatIso(window.fromMs),
    ...conditions(filter),
    include_deleted: window ? true : null,
    limit: pageSize(run, PAGE_MAX),
    cursor,
  });
}

/** The where clause as parameters. It says more than the window, which the user may have put into it. */
function conditions(filter) {
  const parameters = {};
  for (const { op, field, value } of terms(filter)) {
    if (field === 'updatedAt' && op === '>=') parameters.updated_since = value;
    else if (field === 'tag' && op === '=') parameters.tag = value;
    else {
      const found = field === undefined ? op : `${field} ${op}`;
      throw Fault.badConfiguration('where', `${VENDOR} cannot filter by \`${found}\`: it takes \`updatedAt >=\` and \`tag =\`, joined by \`and\``);
    }
  }
  return parameters;
}

function ask(run, path, query) {
  return {
    url: url(run.configuration['notes.url'], `v1/${path}`, query),
    headers: { Authorization: `Bearer ${secret('notes.token')}` },
    lane: 'notes',
  };
}
