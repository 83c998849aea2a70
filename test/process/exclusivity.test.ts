import { describe, expect } from 'vitest';
import { openWriter } from '../../src/index.ts';
import { inspect } from '../support/inspect.ts';
import { it } from '../support/processes.ts';

describe('the writer of a store', () => {
  it('is alone: another process is told who it is', async ({ place, start }) => {
    const first = start('puppet');
    await first.ask('openWriter');
    await first.ask('publish');
    const second = start('puppet');
    await expect(second.ask('openWriter')).rejects.toMatchObject({ code: 'WRITER_EXISTS', pid: first.pid });
    expect(() => openWriter(place.prefix)).toThrowError(
      expect.objectContaining({ code: 'WRITER_EXISTS', pid: first.pid }),
    );
    // Nothing came of the attempts.
    expect(inspect(place.prefix)).toMatchObject({ epoch: 1n, pid: first.pid });
    expect(await first.ask('publish')).toBe(2);

    await first.ask('closeWriter');
    expect(await second.ask('openWriter')).toBe(2);
    await expect(first.ask('openWriter')).rejects.toMatchObject({ code: 'WRITER_EXISTS', pid: second.pid });
  });

  it('keeps its lock while it is stopped', async ({ start }) => {
    const first = start('puppet');
    await first.ask('openWriter');
    await first.ask('publish');
    await first.stop();
    const second = start('puppet');
    await expect(second.ask('openWriter')).rejects.toMatchObject({ code: 'WRITER_EXISTS', pid: first.pid });
    first.signal('SIGCONT');
    expect(await first.ask('publish')).toBe(2);
    await first.kill();
    expect(await second.ask('openWriter')).toBe(2);
  });

  it('leaves its lock to nobody: not to a process that it has started', async ({ place, start }) => {
    const first = start('puppet');
    await first.ask('openWriter');
    // Lives on when its parent is killed; had it inherited the lock's descriptor it would hold the lock.
    const heir = await first.ask<number>('startHeir');
    try {
      await first.kill();
      using writer = openWriter<Uint8Array>(place.prefix, { codec: 'bytes' });
      expect(writer.publish(new Uint8Array(1))).toBe(1);
      process.kill(heir, 0);
    } finally {
      process.kill(heir, 'SIGKILL');
    }
  });

  it('gives way to one that comes in the moment of its SIGKILL', async ({ place, start }) => {
    // Not after the exit: the lock is still held while the kernel takes the process apart, and openWriter waits for that.
    for (let round = 1; round <= 3; round += 1) {
      const first = start('puppet');
      await first.ask('openWriter');
      await first.ask('publish', { count: round, byteLength: 4_000_000 });
      first.signal('SIGKILL');
      using writer = openWriter<Uint8Array>(place.prefix, { codec: 'bytes' });
      expect(writer.version).toBeGreaterThanOrEqual(round);
    }
  });
});
