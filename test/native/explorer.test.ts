import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compileExplorer, explore, harmless, mutants, protocol, type Run } from './explorer/runs.ts';

describe('every interleaving of the handshake', () => {
  let directory: string;
  let program: string;
  let states = 0;
  let steps = 0;

  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'vitrine-explorer-'));
    program = compileExplorer(directory);
  });

  afterAll(() => {
    rmSync(directory, { recursive: true, force: true });
    console.log(`explored ${states.toLocaleString('en')} states in ${steps.toLocaleString('en')} steps`);
  });

  const search = (run: Run, isVariant: boolean) => {
    const outcome = explore(program, run, isVariant);
    states += outcome.states;
    steps += outcome.steps;
    return outcome;
  };

  for (const run of protocol) {
    it(`keeps all invariants: ${run.name} (${run.bounds})`, () => {
      const { violated, why, isComplete, trace } = search(run, false);
      expect(`${violated} ${why}\n${trace}`).toBe(' \n');
      expect(isComplete).toBe(true);
    });
  }

  for (const run of harmless) {
    it(`keeps all invariants with ${run.name} (${run.bounds})`, () => {
      const { violated, why, isComplete, trace } = search(run, true);
      expect(`${violated} ${why}\n${trace}`).toBe(' \n');
      expect(isComplete).toBe(true);
    });
  }

  for (const run of mutants) {
    it(`catches ${run.name}: ${run.breaks} (${run.bounds})`, () => {
      expect(search(run, true).violated).toBe(run.breaks);
    });
  }

  it('alters every labelled access in one way at least', () => {
    const header = readFileSync(
      fileURLToPath(new URL('../../native/handshake.hpp', import.meta.url)),
      'utf8',
    );
    const labels =
      /enum class Label \{([^}]*)\}/
        .exec(header)?.[1]
        ?.split(',')
        .map((label) => label.trim()) ?? [];
    const altered = new Set([...mutants, ...harmless].flatMap((run) => run.labels?.split(' ') ?? []));
    expect(labels.length).toBeGreaterThan(0);
    expect(labels.filter((label) => !altered.has(label))).toEqual([]);
  });
});
