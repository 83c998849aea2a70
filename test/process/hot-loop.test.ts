import { readFileSync } from 'node:fs';
import { describe, expect } from 'vitest';
import { openWriter } from '../../src/index.ts';
import { it, until } from '../support/processes.ts';

/** The processor time that a process has used in user mode, in ticks of 10 ms. */
function ticksOf(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ').at(-1)!.split(' ')[11]);
}

describe('a hot loop that never yields', () => {
  for (const shape of [
    'while',
    'for',
    'do-while',
    'an inlined function',
    'a captured constant',
    'a property of an object',
  ]) {
    it(`sees a new version: ${shape}`, async ({ place, start }) => {
      using writer = openWriter<{ n: number }>(place.prefix);
      writer.publish({ n: 1 });
      const loop = start('hot-loop', { shape });
      expect(await loop.next('looping')).toMatchObject({ n: 1 });
      // Until every compiler has had its turn: 0.4 s of work are some hundred million rounds.
      const goal = ticksOf(loop.pid) + 40;
      await until(() => ticksOf(loop.pid) >= goal);
      expect(loop.count('saw')).toBe(0);
      writer.publish({ n: 2 });
      expect(await loop.next('saw')).toMatchObject({ n: 2 });
      expect(await loop.ended).toEqual({ code: 0, signal: null });
    });
  }
});
