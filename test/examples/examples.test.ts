import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Program, root } from './program.ts';

const readme = readFileSync(join(root, 'README.md'), 'utf8');

/** What README shows below a command line: up to the next prompt or the end of the block. */
function shownBelow(command: string): string[] {
  const lines = readme.split('\n');
  const start = lines.indexOf(`$ ${command}`) + 1;
  expect(start, `README shows ${command}`).toBeGreaterThan(0);
  const end = lines.findIndex((line, i) => i >= start && (line.startsWith('$ ') || line.startsWith('```')));
  return lines.slice(start, end);
}

/** Figures and places differ from run to run; everything else is as printed. */
const pattern = (line: string): string =>
  line
    .replace(/^\^C/, '')
    .replace(/\/\S*\/routing\b/, '<location>')
    .replace(/search-\d/, 'search-<n>')
    .replace(/\d+/g, '<n>');

const patterns = (lines: readonly string[]): string[] => [...new Set(lines.map(pattern))];

describe('the examples, each started in a terminal of its own', () => {
  let directory: string;
  const running: Program[] = [];

  beforeEach(() => {
    directory = mkdtempSync('/dev/shm/vitrine-test-');
  });

  afterEach(() => {
    for (const program of running.splice(0)) program.signal('SIGKILL');
    rmSync(directory, { recursive: true, force: true });
  });

  const start = (side: 'writer' | 'reader'): Program => {
    const program = new Program(`examples/${side}/main.ts`, { VITRINE_DIRECTORY: directory });
    running.push(program);
    return program;
  };

  const sees = (lines: readonly string[], version: number): boolean =>
    lines.some((line) => line.startsWith(`version ${version}:`));

  for (const order of [
    ['writer', 'reader'],
    ['reader', 'writer'],
  ] as const) {
    it(`print what README shows, the ${order[0]} first, and end cleanly on Ctrl-C`, async () => {
      const programs = { [order[0]]: start(order[0]) };
      await programs[order[0]]!.until((lines) => lines.length >= 1);
      programs[order[1]] = start(order[1]);
      const { reader, writer } = programs as { reader: Program; writer: Program };

      await writer.until((lines) => lines.length >= 4);
      const published = Number(/version (\d+)/.exec(writer.lines.at(-1)!)![1]);
      await reader.until((lines) => sees(lines, published));
      reader.signal('SIGINT');
      expect(await reader.exit).toEqual({ code: 0, signal: null });
      writer.signal('SIGINT');
      expect(await writer.exit).toEqual({ code: 0, signal: null });

      expect(patterns(writer.lines)).toEqual(patterns(shownBelow('npx tsx examples/writer/main.ts')));
      expect(patterns(reader.lines)).toEqual(patterns(shownBelow('npx tsx examples/reader/main.ts')));
      const listed = shownBelow('ls -l /dev/shm/vitrine-0').flatMap(
        (line) => /\S+$/.exec(line.replace(/^total.*/, ''))?.[0] ?? [],
      );
      expect(readdirSync(directory).sort()).toEqual(listed);
    });
  }

  it('go on counting when the writer is started again, under the reader that stayed', async () => {
    const reader = start('reader');
    const first = start('writer');
    await reader.until((lines) => sees(lines, 2));
    first.signal('SIGINT');
    await first.exit;
    const last = Number(/version (\d+)/.exec(first.lines.at(-2)!)![1]);
    const second = start('writer');
    await second.until((lines) => lines.length >= 2);
    expect(second.lines[1]).toContain(`version ${last + 1}:`);
    await reader.until((lines) => sees(lines, last + 1));
    for (const program of [reader, second]) program.signal('SIGINT');
    expect(await reader.exit).toEqual({ code: 0, signal: null });
    expect(await second.exit).toEqual({ code: 0, signal: null });
  });
});
