import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';

/** The codec compiled as it is shipped: a loader of its own would not start under these flags. */
const root = fileURLToPath(new URL('../../..', import.meta.url));
let compiled = '';

beforeAll(() => {
  compiled = mkdtempSync(join(tmpdir(), 'vitrine-hosts-'));
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  execFileSync(process.execPath, [
    tsc,
    ...['-p', join(root, 'tsconfig.json'), '--noEmit', 'false', '--rootDir', root, '--outDir', compiled],
  ]);
  symlinkSync(join(root, 'node_modules'), join(compiled, 'node_modules'));
  writeFileSync(join(compiled, 'package.json'), '{"type":"module"}');
});

afterAll(() => rmSync(compiled, { recursive: true, force: true }));

test.each([
  ['no flags', []],
  ['no code from strings', ['--disallow-code-generation-from-strings']],
  ['frozen intrinsics', ['--frozen-intrinsics']],
  ['both', ['--disallow-code-generation-from-strings', '--frozen-intrinsics']],
])('values come back in a process with %s', (_, flags) => {
  const script = join(compiled, 'test', 'codec', 'objects', 'host.js');
  const output = execFileSync(process.execPath, [...flags, script], { encoding: 'utf8' });
  expect(JSON.parse(output)).toEqual({
    generatesCode: !flags.includes('--disallow-code-generation-from-strings'),
  });
});

test('the MDN data set is deep-equal in another process', () => {
  const script = join(compiled, 'test', 'codec', 'objects', 'mdn.js');
  expect(execFileSync(process.execPath, [script], { encoding: 'utf8' })).toBe('equal\n');
});
