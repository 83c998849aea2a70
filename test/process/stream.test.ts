import { describe, expect } from 'vitest';
import { inspect } from '../support/inspect.ts';
import { it } from '../support/processes.ts';

/** The last version, which every reader adopts, is one of the largest. */
const PUBLISHES = 25 * 4096;

interface Finished {
  readonly adoptions: number;
  readonly copied: number;
}

describe('a writer at full speed and four reader processes', () => {
  it('shows whole versions only, never an older one, and in the end the newest', async ({ place, start }) => {
    // How many old versions each reader holds: none, so that regions are rewritten all the time; and more than there
    // are slots, so that they are replaced.
    const readers = [0, 1, 3, 9].map((keep) => start('stream-reader', { publishes: PUBLISHES, keep }));
    for (const reader of readers) await reader.next('reading');
    const writer = start('stream-writer', { publishes: PUBLISHES });
    const stats = await writer.next<{ publishes: number; rewrites: number; regions: number }>('published');
    expect(stats.publishes).toBe(PUBLISHES);
    // Both ways of publishing were at work.
    expect(stats.rewrites).toBeGreaterThan(1000);
    expect(PUBLISHES - stats.rewrites).toBeGreaterThan(100);

    let adoptions = 0;
    let copied = 0;
    for (const reader of readers) {
      const finished = await reader.next<Finished>('finished');
      expect(finished).toMatchObject({ torn: 0, backwards: 0, last: PUBLISHES });
      adoptions += finished.adoptions;
      copied += finished.copied;
      expect((await reader.ended).code).toBe(0);
    }
    // How many versions a reader adopts is the scheduler's affair. Some were copied out, and some were not.
    expect(adoptions).toBeGreaterThan(readers.length);
    expect(copied).toBeGreaterThan(0);
    expect(copied).toBeLessThan(adoptions);
    expect((await writer.ended).code).toBe(0);
    expect(inspect(place.prefix)).toMatchObject({ publishNumber: BigInt(PUBLISHES), reuse: true });
  });
});
