import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Program, root } from './program.ts';

const MAIN = 'examples/showcase/main.ts';

describe('npm start', () => {
  let directory: string;
  let showcase: Program;

  beforeEach(() => {
    directory = mkdtempSync('/dev/shm/vitrine-test-');
    showcase = new Program(MAIN, { VITRINE_DIRECTORY: directory });
  });

  afterEach(() => {
    for (const pid of [showcase.pid, ...children()]) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {}
    }
    rmSync(directory, { recursive: true, force: true });
  });

  /** Writers, readers and parsers are given a path in the directory of this test. */
  const children = (): number[] =>
    readdirSync('/proc')
      .map(Number)
      .filter((pid) => {
        try {
          return pid > 0 && readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes(`\0${directory}/`);
        } catch {
          return false;
        }
      });

  const untilReadersRun = (): Promise<void> =>
    showcase.until((lines) => lines.some((line) => line.startsWith('1. ')));

  it('is what package.json starts', () => {
    const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
      scripts: Record<string, string>;
    };
    expect(scripts['start']).toBe(`tsx ${MAIN}`);
  });

  it('ends by itself, after all that it claims has happened, and leaves nothing', async () => {
    expect(await showcase.exit).toEqual({ code: 0, signal: null });
    const claims = showcase.lines.filter((line) => /^(?:yes|NO) /.test(line));
    expect(claims.length).toBeGreaterThanOrEqual(8);
    expect(claims.filter((line) => !line.startsWith('yes'))).toEqual([]);
    expect(readdirSync(directory)).toEqual([]);
    expect(children()).toEqual([]);
  });

  it('leaves nothing on Ctrl-C', async () => {
    await untilReadersRun();
    expect(children().length).toBeGreaterThan(0);
    showcase.signal('SIGINT');
    expect(await showcase.exit).toEqual({ code: 130, signal: null });
    expect(readdirSync(directory)).toEqual([]);
    expect(children()).toEqual([]);
  });

  it('fails, and leaves nothing, when one of its processes dies', async () => {
    await untilReadersRun();
    process.kill(children()[0]!, 'SIGKILL');
    expect(await showcase.exit).toEqual({ code: 1, signal: null });
    expect(showcase.lines.at(-1)).toMatch(/^This should not happen: .* ended \(SIGKILL\)$/);
    expect(readdirSync(directory)).toEqual([]);
    expect(children()).toEqual([]);
  });

  it('leaves no process when it is killed itself', async () => {
    await untilReadersRun();
    showcase.signal('SIGKILL');
    await showcase.exit;
    while (children().length > 0) await setTimeout(20);
  });
});
