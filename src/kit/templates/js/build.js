// `npm run build`: element.js, what it imports and manifest.json become build/<key>.wasm, where <key> is the manifest's.
// Does nothing when the component is newer than all of them. Must not be needed for anything but building.

import { mkdir, readdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { componentize } from '@bytecodealliance/componentize-js';

process.chdir(import.meta.dirname);
const manifest = await readFile('manifest.json', 'utf8');
const component = `build/${JSON.parse(manifest).key}.wasm`;
if (await isNewest(component)) {
  console.log(`${component} is up to date`);
} else {
  const started = Date.now();
  const bytes = await build();
  // In one step, so that nobody reads half a component.
  await writeFile(`${component}.new`, bytes);
  await rename(`${component}.new`, component);
  console.log(`${component}: ${(bytes.length / 1e6).toFixed(1)} MB after ${((Date.now() - started) / 1000).toFixed(0)} s`);
}

async function build() {
  await mkdir('build', { recursive: true });
  await writeFile(
    'build/component.js',
    `import * as element from '../element.js';
import { component } from '../tidegate.js';
export const { meta, operate } = component(element, ${JSON.stringify(manifest)});
`,
  );
  const built = await componentize({
    sourcePath: `${process.cwd()}/build/component.js`,
    witPath: 'wit/element.wit',
    worldName: 'element',
    // An element has no clock, no randomness, no output and no network: the gateway gives it none of them.
    disableFeatures: ['clocks', 'random', 'stdio', 'http', 'fetch-event'],
  });
  return built.component;
}

async function isNewest(component) {
  const modified = async (path) => (await stat(path).catch(() => null))?.mtimeMs ?? 0;
  const times = await Promise.all((await sources('.')).map(modified));
  return Math.max(...times) < (await modified(component));
}

async function sources(directory) {
  const found = [];
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    const path = `${directory}/${entry.name}`;
    if (entry.isDirectory() && !['node_modules', 'build', 'cases', '.git'].includes(entry.name)) {
      found.push(...(await sources(path)));
    } else if (/\.(js|json|wit)$/.test(entry.name)) {
      found.push(path);
    }
  }
  return found;
}
