import { describe, expect } from 'vitest';
import { openReader, openWriter } from '../../src/index.ts';
import { pinCount } from '../support/inspect.ts';
import { isPayload, payload } from '../support/payload.ts';
import { it, until } from '../support/processes.ts';

const BYTE_LENGTH = 64 * 1024;
const released = expect.objectContaining({ code: 'SNAPSHOT_RELEASED' });

/** A value large enough to be read where it lies, and decoded where it is touched. */
const rows = (version: number) => ({
  version,
  rows: Array.from({ length: 2000 }, (_, i) => ({
    id: i,
    name: `row ${i} of ${version}`,
    even: i % 2 === 0,
  })),
});
type Rows = ReturnType<typeof rows>;

describe('a snapshot that nobody references any more', () => {
  it('lets go of its slot when it is collected', async ({ place, start }) => {
    const writer = start('puppet');
    await writer.ask('openWriter');
    const reader = start('puppet', {}, { flags: ['--expose-gc'] });
    await reader.ask('openReader');
    const ids: number[] = [];
    for (let i = 0; i < 3; i += 1) {
      await writer.ask('publish');
      ids.push((await reader.ask<{ id: number }>('hold')).id);
    }
    expect(pinCount(place.prefix)).toBe(3);
    await reader.ask('collect');
    expect(pinCount(place.prefix), 'held, and so not collected').toBe(3);
    const collectUntil = (count: number) =>
      until(async () => {
        await reader.ask('collect');
        return pinCount(place.prefix) === count;
      });
    // Of these the reader itself keeps the newest.
    for (const id of ids) await reader.ask('forget', { id });
    await collectUntil(1);
    // And of a reader that was forgotten and never closed nothing stays.
    await reader.ask('forgetReader');
    await collectUntil(0);
    await writer.ask('publish', { count: 100 });
    expect(await writer.ask('writerStats')).toMatchObject({ regions: 2 });
  });
});

describe('releasing the last handle of a version', () => {
  it('unpins it at once where no raw window was handed out', ({ place }) => {
    using writer = openWriter<Rows>(place.prefix);
    using reader = openReader<Rows>(place.prefix);
    writer.publish(rows(1));
    const first = reader.snapshot();
    const second = reader.snapshot();
    expect(first.value.rows[10]).toEqual({ id: 10, name: 'row 10 of 1', even: true });
    const { value } = first;
    writer.publish(rows(2));
    const third = reader.snapshot();
    expect(pinCount(place.prefix)).toBe(2);

    first.release();
    expect(() => first.value).toThrowError(released);
    // The other handle reads on, what it has not touched yet too.
    expect(pinCount(place.prefix)).toBe(2);
    expect(second.value.rows[1000]!.name).toBe('row 1000 of 1');
    second.release();
    expect(pinCount(place.prefix)).toBe(1);
    expect(() => value.rows[1500]!.name).toThrowError(released);
    expect(third.value.rows[1999]!.name).toBe('row 1999 of 2');
    third.release();
    // The reader itself keeps its newest.
    expect(pinCount(place.prefix)).toBe(1);
    reader.close();
    expect(pinCount(place.prefix)).toBe(0);
  });

  it('never takes a value away that current() gave out', ({ place }) => {
    using writer = openWriter<Rows>(place.prefix);
    using reader = openReader<Rows>(place.prefix);
    writer.publish(rows(1));
    const value = reader.current();
    const snapshot = reader.snapshot();
    expect(snapshot.value).toBe(value);
    writer.publish(rows(2));
    reader.current();
    snapshot.release({ detach: true });
    for (let version = 3; version < 30; version += 1) writer.publish(rows(version));
    expect(value.rows[1234]!.name).toBe('row 1234 of 1');
  });

  it('keeps it pinned where a raw window was handed out, unless all promise to be done with it', ({
    place,
  }) => {
    using writer = openWriter<Uint8Array>(place.prefix, { codec: 'bytes' });
    using reader = openReader<Uint8Array>(place.prefix);
    writer.publish(payload(1, BYTE_LENGTH));
    const careful = reader.snapshot();
    const window = careful.value;
    writer.publish(payload(2, BYTE_LENGTH));
    const first = reader.snapshot();
    const second = reader.snapshot();
    const detached = first.value;
    writer.publish(payload(3, BYTE_LENGTH));
    const newest = reader.snapshot();
    expect(pinCount(place.prefix)).toBe(3);

    careful.release();
    first.release({ detach: true });
    expect(pinCount(place.prefix), 'the second handle is still there').toBe(3);
    expect(isPayload(second.value, 2, BYTE_LENGTH)).toBe(true);
    second.release({ detach: true });
    expect(pinCount(place.prefix)).toBe(2);
    expect(detached.byteLength).toBe(0);

    // No turn of the event loop has passed: the window is in use, and nothing has happened to it.
    for (let number = 4; number < 600; number += 1) writer.publish(payload(number, BYTE_LENGTH));
    expect(isPayload(window, 1, BYTE_LENGTH)).toBe(true);
    expect(isPayload(newest.value, 3, BYTE_LENGTH)).toBe(true);
    newest.release();
  });
});

describe('a snapshot released while its bytes are in flight', () => {
  for (const way of ['socket', 'file', 'zlib'] as const) {
    it(`arrives whole: ${way}`, async ({ start }) => {
      const child = start(
        'in-flight',
        { way },
        { flags: ['--expose-gc'], env: { UV_THREADPOOL_SIZE: way === 'zlib' ? '1' : '4' } },
      );
      expect(await child.next('arrived')).toMatchObject({ isWhole: true, byteLength: 4 * 2 ** 20 });
      expect(await child.next('free')).toMatchObject({ regions: expect.any(Number) });
      expect(await child.ended).toEqual({ code: 0, signal: null });
    });
  }
});
