import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));
const run = promisify(execFile);

const PROGRAM = `
import { openReader, openWriter, StoreError } from 'vitrine';

const writer = openWriter('packed');
const reader = openReader('packed');
writer.publish({ works: [1, 2, 3], big: 'x'.repeat(100_000) });
const { works, big } = reader.current();
console.log(works.join(), big.length, typeof StoreError);
writer.destroy();
`;

describe('the package as it would be published', () => {
  let directory: string;
  let app: string;
  let packed: { filename: string; files: { path: string }[] };

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'vitrine-package-'));
    app = join(directory, 'app');
    mkdirSync(app);
    // Without scripts: `dist` is what `npm ci` has built, and other tests are running from it.
    const arguments_ = ['pack', '--json', '--ignore-scripts', '--pack-destination', directory];
    const { stdout } = await run('npm', arguments_, { cwd: root });
    [packed] = JSON.parse(stdout) as [typeof packed];
  });

  afterAll(() => {
    rmSync(directory, { recursive: true, force: true });
  });

  it('holds what is needed to run and to build it, and nothing else', () => {
    const { files } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { files: string[] };
    const folders = new Set(packed.files.map(({ path }) => path.split('/')[0]));
    for (const needed of ['dist', 'native', 'binding.gyp', 'docs', 'CHANGELOG.md', 'README.md', 'LICENSE']) {
      expect(folders).toContain(needed);
    }
    const allowed = [...files, 'package.json', 'README.md', 'LICENSE'];
    expect([...folders].filter((folder) => !allowed.includes(folder!))).toEqual([]);
  });

  it('is installed into another project, built there, and publishes and reads', async () => {
    writeFileSync(join(app, 'package.json'), '{ "private": true, "type": "module" }');
    writeFileSync(join(app, 'main.js'), PROGRAM);
    const tarball = join(directory, packed.filename);
    await run('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', tarball], { cwd: app });
    const env = { ...process.env, VITRINE_DIRECTORY: join(directory, 'stores') };
    const { stdout } = await run(process.execPath, ['main.js'], { cwd: app, env });
    expect(stdout).toBe('1,2,3 100000 function\n');
  });
});
