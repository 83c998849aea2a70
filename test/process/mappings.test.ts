import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect } from 'vitest';
import { compilePreload, LOCK_ALL_MEMORY } from '../support/preload.ts';
import { it, scratch } from '../support/processes.ts';

const BYTE_LENGTH = 64 * 1024;

interface Done {
  readonly grown: number;
  readonly ours: number;
  readonly torn: number;
  readonly stats: { readonly adoptions: number };
}

describe('a loop that adopts and never yields', () => {
  for (const [kind, adoptions] of [
    ['bytes', 200_000],
    ['objects', 20_000],
  ] as const) {
    it(`keeps its mappings few: ${adoptions} adoptions of ${kind}`, async ({ start }) => {
      const loop = start('adopt-loop', { kind, adoptions, byteLength: BYTE_LENGTH });
      const done = await loop.next<Done>('done');
      expect(done).toMatchObject({ torn: 0, stats: { adoptions } });
      // The kernel refuses at 65,530. A process has about 100 by itself, and grows with the heap.
      expect(done.ours).toBeLessThan(150);
      expect(done.grown).toBeLessThan(256);
      expect(await loop.ended).toEqual({ code: 0, signal: null });
    });
  }
});

describe('a reader whose memory is locked (mlockall)', () => {
  const shared = scratch();
  let library: string;
  beforeAll(() => {
    library = compilePreload(shared.open(), LOCK_ALL_MEMORY);
  });
  afterAll(() => shared.close());

  it('sees the right bytes through many rewrites in place', async ({ start, skip }) => {
    // V8 cannot change the protection of locked pages of code: so it makes none.
    const reader = start('puppet', {}, { flags: ['--jitless'], env: { LD_PRELOAD: library } });
    await reader.ask('openReader');
    const status = readFileSync(`/proc/${reader.pid}/status`, 'latin1');
    skip(!/^VmLck:\s+[1-9]/m.test(status), 'mlockall is not permitted here');
    const writer = start('puppet');
    await writer.ask('openWriter');
    for (let version = 1; version <= 400; version += 1) {
      // Copied at adoption; and, every other time, read where it lies and let go at once.
      const byteLength = version % 2 === 0 ? 8 * 1024 : BYTE_LENGTH;
      await writer.ask('publish', { byteLength });
      const { id, version: held } = await reader.ask<{ id: number; version: number }>('hold');
      expect(held).toBe(version);
      expect(await reader.ask('verifyHeld', { id }), `version ${version}`).toBe(true);
      await reader.ask('release', { id, detach: true });
    }
    const stats = await writer.ask<{ rewrites: number }>('writerStats');
    expect(stats.rewrites).toBeGreaterThan(200);
  });
});
