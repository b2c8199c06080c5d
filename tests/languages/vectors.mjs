// Runs the table of vectors.json on the kit for JavaScript, in Node: `node vectors.mjs KIT TABLE` prints what came of it.
// Must not know what should come of it: tests/languages.rs compares.

import { readFileSync, writeSync } from 'node:fs';
import { register } from 'node:module';
import { pathToFileURL } from 'node:url';

// The one thing that only a gateway has.
const log = 'data:text/javascript,export const log = () => {};';
const hook = `export const resolve = (name, context, next) => name.startsWith('tidegate:') ? { url: ${JSON.stringify(log)}, shortCircuit: true } : next(name, context);`;
register(`data:text/javascript,${encodeURIComponent(hook)}`);

const table = JSON.parse(readFileSync(process.argv[3], 'utf8'));
const kit = await import(pathToFileURL(process.argv[2]));

const functions = {
  parseIso: kit.parseIso,
  formatIso: kit.formatIso,
  encode: kit.encode,
  canonical: (text) => kit.canonical(kit.parseJson(text)),
  parseJsonFails: (text) => {
    try {
      kit.parseJson(new TextEncoder().encode(text));
      return false;
    } catch {
      return true;
    }
  },
  nextLink: kit.nextLink,
  nextUrl: ([page, address]) => orCode(() => kit.nextUrl(kit.firstPage(page), address)?.at ?? null),
  walk: (tokens) =>
    orCode(() => {
      let place = kit.firstPage();
      let pages = 0;
      for (const token of tokens) {
        pages += 1;
        place = kit.nextPage(place, token);
        if (place === null) break;
      }
      return pages;
    }),
  queryOf: (filter) => orCode(() => kit.queryOf(filter, 'Acme', { 'tag =': 'tag', 'at >=': 'since' }, ','), 'message'),
};

function orCode(call, member = 'code') {
  try {
    return call();
  } catch (error) {
    return { fault: error instanceof kit.Fault ? error[member] : String(error) };
  }
}

const results = Object.fromEntries(
  Object.entries(table).map(([name, rows]) => [name, rows.map(([input]) => [input, functions[name](input)])]),
);
writeSync(1, JSON.stringify(results));
