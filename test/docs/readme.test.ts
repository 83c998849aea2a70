import { execFile } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const readme = readFileSync(join(root, 'README.md'), 'utf8');
const snippets = [...readme.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, source]) => source!);
const run = promisify(execFile);

/** What a snippet says it prints: the comments `// → …`. */
const promised = (source: string): string[] =>
  [...source.matchAll(/\/\/ → (.*)$/gm)].map(([, text]) => text!);

describe("README's snippets", () => {
  let directory: string;

  beforeAll(() => {
    // In memory: it holds the directory of bare names too.
    directory = mkdtempSync('/dev/shm/vitrine-test-');
    mkdirSync(join(directory, 'node_modules', '@types'), { recursive: true });
    symlinkSync(root, join(directory, 'node_modules', 'vitrine'));
    symlinkSync(
      join(root, 'node_modules', '@types', 'node'),
      join(directory, 'node_modules', '@types', 'node'),
    );
    writeFileSync(join(directory, 'package.json'), '{ "type": "module" }');
    for (const [i, source] of snippets.entries()) writeFileSync(join(directory, `snippet-${i}.ts`), source);
  });

  afterAll(() => {
    rmSync(directory, { recursive: true, force: true });
  });

  it('are there', () => {
    expect(snippets.length).toBeGreaterThanOrEqual(5);
  });

  it('have no type errors', async () => {
    const { compilerOptions } = JSON.parse(readFileSync(join(root, 'tsconfig.json'), 'utf8')) as {
      compilerOptions: object;
    };
    const options = { ...compilerOptions, noUnusedLocals: false };
    writeFileSync(
      join(directory, 'tsconfig.json'),
      JSON.stringify({ compilerOptions: options, include: ['*.ts'] }),
    );
    const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
    const { stdout } = await run(process.execPath, [tsc, '-p', directory]).catch((error) => error);
    expect(stdout).toBe('');
  });

  for (const [i, source] of snippets.entries()) {
    it(`run and print what they say: ${source.split('\n')[0]}`, async () => {
      const { stdout } = await run(
        process.execPath,
        ['--import', import.meta.resolve('tsx'), join(directory, `snippet-${i}.ts`)],
        { cwd: directory, env: { ...process.env, VITRINE_DIRECTORY: directory } },
      );
      expect(stdout.trimEnd().split('\n').filter(Boolean)).toEqual(promised(source));
    });
  }
});

describe("README's links", () => {
  for (const [, target] of readme.matchAll(/\]\((?!https?:)([^)#]+)[^)]*\)/g)) {
    it(`lead to ${target}`, () => {
      expect(existsSync(join(dirname(join(root, 'README.md')), target!))).toBe(true);
    });
  }
});
