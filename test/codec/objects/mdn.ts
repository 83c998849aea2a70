/**
 * The whole MDN data set through another process: this one encodes it and starts itself again to read the bytes. Ends
 * with `equal` and a line feed.
 */
import assert from 'node:assert';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { toPlain } from '../../../src/codec/objects/index.ts';
import { decode, encode } from './support.ts';

const data: unknown = JSON.parse(
  readFileSync(createRequire(import.meta.url).resolve('@mdn/browser-compat-data'), 'utf8'),
);
const [file] = process.argv.slice(2);
if (file === undefined) {
  const folder = mkdtempSync(join(tmpdir(), 'vitrine-mdn-'));
  try {
    writeFileSync(join(folder, 'bytes'), encode(data));
    process.stdout.write(
      execFileSync(process.execPath, [fileURLToPath(import.meta.url), join(folder, 'bytes')]),
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
} else {
  const view = decode(new Uint8Array(readFileSync(file)));
  assert.deepStrictEqual(view, data);
  assert.deepStrictEqual(toPlain(view), data);
  assert.strictEqual(JSON.stringify(view), JSON.stringify(data));
  console.log('equal');
}
