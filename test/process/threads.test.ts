import { describe, expect } from 'vitest';
import { inspect, pinCount } from '../support/inspect.ts';
import { it } from '../support/processes.ts';

const BYTE_LENGTH = 64 * 1024;

describe('a reader in a worker thread', () => {
  it('lets go of everything it holds when it is terminated', async ({ place, start }) => {
    const writer = start('puppet');
    await writer.ask('openWriter');
    await writer.ask('publish', { byteLength: BYTE_LENGTH });
    // The main thread of this process never loads the addon for reading.
    const host = start('threads');
    for (let round = 0; round < 5; round += 1) {
      const thread = await host.ask<number>('start', { role: 'hold' });
      await host.ask('steps', { id: thread, count: 1 });
      expect(pinCount(place.prefix)).toBe(1);
      await host.ask('terminate', { id: thread });
      expect(pinCount(place.prefix)).toBe(0);
      await writer.ask('publish', { count: 10, byteLength: BYTE_LENGTH });
    }
    expect(await writer.ask('writerStats')).toMatchObject({ regions: 2 });
    await host.ask('exit').catch(() => {});
    expect(await host.ended).toEqual({ code: 0, signal: null });
  });

  it('lets go when it is terminated in the middle of adopting, many times over', async ({ place, start }) => {
    const host = start('threads');
    const writer = start('threads');
    const publishing = await writer.ask<number>('start', { role: 'publish', byteLength: BYTE_LENGTH });
    await writer.ask('steps', { id: publishing, count: 1 });
    for (let round = 0; round < 8; round += 1) {
      const thread = await host.ask<number>('start', { role: 'adopt' });
      await host.ask('steps', { id: thread, count: 10 + 7 * round });
      await host.ask('terminate', { id: thread });
      // No one else reads: whatever count there is would be what the thread left behind.
      expect(pinCount(place.prefix)).toBe(0);
    }
    const steps = await writer.ask<number>('steps', { id: publishing, count: 1 });
    await writer.ask('steps', { id: publishing, count: steps + 1000 });
  });
});

describe('a writer in a worker thread', () => {
  it('leaves the store to another writer of the same process when it is terminated', async ({
    place,
    start,
  }) => {
    const host = start('threads');
    let version = 0;
    for (let round = 0; round < 8; round += 1) {
      const thread = await host.ask<number>('start', { role: 'publish', byteLength: BYTE_LENGTH });
      await host.ask('steps', { id: thread, count: 5 + round });
      await expect(host.ask('openWriter')).rejects.toMatchObject({ code: 'WRITER_EXISTS', pid: host.pid });
      await host.ask('terminate', { id: thread });
      const takenOver = await host.ask<number>('openWriter');
      expect(takenOver).toBeGreaterThanOrEqual(version + 5 + round);
      version = await host.ask<number>('publish', { count: 3 });
      expect(version).toBeGreaterThan(takenOver);
      await host.ask('closeWriter');
    }
    expect(inspect(place.prefix).epoch).toBe(16n);
    expect(place.files().filter((name) => name.includes('tmp'))).toEqual([]);
  });

  it('excludes writers in other threads of its process', async ({ start }) => {
    const host = start('threads');
    const first = await host.ask<number>('start', { role: 'tryWriter' });
    expect(await host.ask('message', { id: first })).toEqual({ version: 1 });
    const second = await host.ask<number>('start', { role: 'tryWriter' });
    expect(await host.ask('message', { id: second })).toEqual({ code: 'WRITER_EXISTS', pid: host.pid });
    await host.ask('end', { id: first });
    const third = await host.ask<number>('start', { role: 'tryWriter' });
    expect(await host.ask('message', { id: third })).toEqual({ version: 2 });
  });
});

describe('several threads of one process', () => {
  it('publish and read side by side, and side by side with another process', async ({ place, start }) => {
    const host = start('threads');
    const readers: number[] = [];
    for (let i = 0; i < 2; i += 1) readers.push(await host.ask<number>('start', { role: 'read' }));
    const publishing = await host.ask<number>('start', { role: 'publish', byteLength: BYTE_LENGTH });
    const other = start('threads');
    const reader = await other.ask<number>('start', { role: 'read' });
    for (const id of readers) {
      expect(await host.ask('message', { id })).toMatchObject({ last: expect.any(Number) });
    }
    expect(await other.ask('message', { id: reader })).toMatchObject({ last: expect.any(Number) });
    await host.ask('terminate', { id: publishing });
    expect(inspect(place.prefix).pid).toBe(host.pid);
  });
});

describe('a forked process', () => {
  it('reads beside its parent, and takes nothing of its parent’s with it', async ({ start }) => {
    const parent = start('forking');
    expect(await parent.next('forked')).toMatchObject({
      first: { isWhole: true, pins: 2 },
      second: { message: 'published', isWhole: true },
      code: 0,
      // Of the parent: its snapshot. It has not looked at the second version.
      pins: 1,
      isWhole: true,
    });
    expect(await parent.ended).toEqual({ code: 0, signal: null });
  });
});
