import { describe, expect } from 'vitest';
import { inspect, pinCount } from '../support/inspect.ts';
import { it, type Place, type Start } from '../support/processes.ts';

const BYTE_LENGTH = 256 * 1024;

/** A writer and a reader that holds the first version; the writer's stats with so many regions. */
async function holding(start: Start) {
  const writer = start('puppet');
  await writer.ask('openWriter');
  await writer.ask('publish', { byteLength: BYTE_LENGTH });
  const reader = start('puppet');
  await reader.ask('openReader');
  const held = await reader.ask<{ id: number; version: number }>('hold');
  const publish = (count: number) => writer.ask<number>('publish', { count, byteLength: BYTE_LENGTH });
  const stats = () => writer.ask<{ regions: number; replacements: number; rewrites: number }>('writerStats');
  return { writer, reader, held, publish, stats };
}

const regionFiles = (place: Place) => place.files().filter((name) => name.startsWith('store_data_')).length;

describe('a reader that holds a version', () => {
  it('never delays a publish, and what it costs is given back when it was killed', async ({
    place,
    start,
  }) => {
    const { reader, publish, stats } = await holding(start);
    const before = await stats();
    await reader.kill();
    expect(pinCount(place.prefix), 'nobody could count it out').toBe(1);
    // Each of these returns: nothing waits for the one who was killed.
    expect(await publish(100)).toBe(101);
    const after = await stats();
    // The count that stayed behind cost one replacement, or one slot more: not one a publish.
    expect(after.replacements - before.replacements).toBeLessThanOrEqual(2);
    // And is forgotten by the store in time, by a publish and not by a timer.
    await publish(600);
    expect(pinCount(place.prefix)).toBe(0);
    expect((await stats()).regions).toBe(2);
    expect(regionFiles(place)).toBe(2);
  });

  it('never delays a publish while it is stopped, and then still reads what it held', async ({
    place,
    start,
  }) => {
    const { reader, held, publish, stats } = await holding(start);
    await reader.stop();
    expect(await publish(1000)).toBe(1001);
    const { regions, replacements } = await stats();
    // The region it holds has left the store, but not the reader.
    expect(regions).toBe(2);
    expect(regionFiles(place)).toBe(2);
    expect(replacements).toBeLessThanOrEqual(6);

    reader.signal('SIGCONT');
    expect(await reader.ask('verifyHeld', { id: held.id })).toBe(true);
    expect(await reader.ask('current')).toEqual({ version: 1001, byteLength: BYTE_LENGTH, isWhole: true });
    await reader.ask('release', { id: held.id });
  });

  it('keeps its bytes through a thousand publishes', async ({ start }) => {
    const { reader, held, publish } = await holding(start);
    for (let i = 0; i < 10; i += 1) {
      await publish(100);
      expect(await reader.ask('verifyHeld', { id: held.id })).toBe(true);
    }
  });

  it('holds more versions than there are slots, each unchanged', async ({ place, start }) => {
    const { reader, publish, stats } = await holding(start);
    const ids: number[] = [];
    for (let i = 0; i < 30; i += 1) {
      await publish(1);
      ids.push((await reader.ask<{ id: number }>('hold')).id);
    }
    // Eight slots by default: the rest lives with the reader alone.
    expect((await stats()).regions).toBeLessThanOrEqual(8);
    expect(regionFiles(place)).toBeLessThanOrEqual(8);
    for (const id of ids) expect(await reader.ask('verifyHeld', { id })).toBe(true);
    for (const id of ids) await reader.ask('release', { id, detach: true });
    await publish(600);
    expect((await stats()).regions).toBe(2);
    expect(inspect(place.prefix).slots.every(({ count }) => count === 0)).toBe(true);
  });
});
