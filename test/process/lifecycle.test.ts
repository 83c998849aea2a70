import { copyFileSync, readFileSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { describe, expect } from 'vitest';
import { type Codec, openReader, openWriter } from '../../src/index.ts';
import { inspect } from '../support/inspect.ts';
import { isPayload, payload } from '../support/payload.ts';
import { it, until } from '../support/processes.ts';

const BYTE_LENGTH = 64 * 1024;

describe('a store whose files are deleted under a live writer', () => {
  it('is lost: the writer says so, readers keep the last value and find the next store', async ({
    place,
    start,
  }) => {
    const writer = start('puppet');
    await writer.ask('openWriter');
    await writer.ask('publish', { count: 3 });
    const reader = start('puppet');
    await reader.ask('openReader');
    const { id } = await reader.ask<{ id: number }>('hold');
    const last = { version: 3, byteLength: BYTE_LENGTH, isWhole: true };
    expect(await reader.ask('current')).toEqual(last);

    for (const name of place.files()) rmSync(`${place.directory}/${name}`);
    // Not before the writer looks: once a second, and whenever it needs a new region.
    await expect(writer.ask('publishUntilError')).rejects.toMatchObject({ code: 'STORE_LOST' });
    await expect(writer.ask('publish')).rejects.toMatchObject({ code: 'STORE_LOST' });
    expect((await reader.ask<{ isWhole: boolean }>('current')).isWhole).toBe(true);
    expect(await reader.ask('verifyHeld', { id })).toBe(true);

    await writer.ask('closeWriter');
    expect(await writer.ask('openWriter')).toBe(0);
    expect((await reader.ask<{ isWhole: boolean }>('current')).isWhole).toBe(true);
    expect(await writer.ask('publish')).toBe(1);
    expect(await reader.ask('current')).toEqual({ ...last, version: 1 });
    expect(await reader.ask('readerStats')).toMatchObject({ attachments: 2 });
  });

  it('does not bury the store of who came after: only the lock file had been deleted', async ({
    place,
    start,
  }) => {
    const first = start('puppet');
    await first.ask('openWriter');
    await first.ask('publish', { count: 2 });
    unlinkSync(`${place.prefix}_lock`);
    // With the lock file the lock is gone: this cannot be prevented, only noticed.
    const second = start('puppet');
    expect(await second.ask('openWriter')).toBe(2);
    expect(await second.ask('publish')).toBe(3);
    await expect(first.ask('publishUntilError')).rejects.toMatchObject({ code: 'STORE_LOST' });
    await expect(first.ask('publish')).rejects.toMatchObject({ code: 'STORE_LOST' });
    expect(inspect(place.prefix).active).not.toBe('destroyed');
    await first.ask('closeWriter');
    expect(inspect(place.prefix)).toMatchObject({ pid: second.pid });
    await second.ask('publish');
    using reader = openReader<Uint8Array>(place.prefix);
    expect(isPayload(reader.current(), reader.version)).toBe(true);
  });

  it('goes on when a region was deleted that a loan is being written into', async ({ place }) => {
    using writer = openWriter<Uint8Array>(place.prefix, { codec: 'bytes' });
    for (let number = 1; number <= 3; number += 1) writer.publish(payload(number, BYTE_LENGTH));
    const loan = writer.loan(BYTE_LENGTH);
    for (const name of place.files()) if (name.includes('_data_')) unlinkSync(`${place.directory}/${name}`);
    loan.set(payload(4, BYTE_LENGTH));
    // Longer than the writer goes without looking at its files.
    const aSecond = async () => {
      const begunMs = Date.now();
      await until(() => Date.now() - begunMs > 1000);
    };
    await aSecond();
    expect(loan.commit()).toBe(4);
    await aSecond();
    for (let number = 5; number <= 8; number += 1) {
      expect(writer.publish(payload(number, BYTE_LENGTH))).toBe(number);
    }
    using reader = openReader<Uint8Array>(place.prefix);
    expect(isPayload(reader.current(), 8)).toBe(true);
  });
});

describe('a store that is destroyed and created anew under an attached reader', () => {
  it('gives the reader the value of the new one, and never one of the old after that', async ({
    place,
    start,
  }) => {
    const reader = start('puppet');
    await reader.ask('openReader');
    expect(await reader.ask('currentError')).toBe('NOT_PUBLISHED');
    for (let life = 1; life <= 5; life += 1) {
      const writer = start('puppet');
      // Another kind of store every time: readers must learn that anew too.
      await writer.ask('openWriter', { reuse: life % 2 === 0, checksum: life % 3 !== 0 });
      const count = 1 + (life % 4);
      await writer.ask('publish', { count });
      const value = { version: count, byteLength: BYTE_LENGTH, isWhole: true };
      expect(await reader.ask('current')).toEqual(value);
      expect(await reader.ask('readerStats')).toMatchObject({ attachments: life });
      const { id } = await reader.ask<{ id: number }>('hold');
      await writer.ask('destroy');
      expect(place.files()).toEqual([]);
      // The last value stays until there is another store.
      expect(await reader.ask('current')).toEqual(value);
      expect(await reader.ask('verifyHeld', { id })).toBe(true);
    }
  });

  it('never mixes both: a region that the old one left behind is not of the new one', async ({ place }) => {
    const reader = openReader<Uint8Array>(place.prefix);
    const first = openWriter<Uint8Array>(place.prefix, { codec: 'bytes' });
    first.publish(payload(1, BYTE_LENGTH));
    expect(isPayload(reader.current(), 1)).toBe(true);
    copyFileSync(`${place.prefix}_data_0`, `${place.directory}/kept`);
    first.destroy();
    const second = openWriter<Uint8Array>(place.prefix, { codec: 'bytes' });
    second.publish(payload(2, BYTE_LENGTH));
    // Same slot, same incarnation, same length: only the store's id tells them apart.
    const current = readFileSync(`${place.prefix}_data_0`);
    rmSync(`${place.prefix}_data_0`);
    copyFileSync(`${place.directory}/kept`, `${place.prefix}_data_0`);
    expect(() => reader.current()).toThrowError(expect.objectContaining({ code: 'REGION_INVALID' }));
    rmSync(`${place.prefix}_data_0`);
    writeFileSync(`${place.prefix}_data_0`, current);
    expect(isPayload(reader.current(), 1, BYTE_LENGTH)).toBe(false);
    expect(isPayload(reader.current(), 2, BYTE_LENGTH)).toBe(true);
    reader.close();
    second.destroy();
  });
});

describe('a crash while a store is created', () => {
  it('never leaves a store that nobody can open', async ({ place, start }) => {
    for (let round = 0; round < 6; round += 1) {
      const creators = [start('creator'), start('creator')];
      for (const creator of creators) {
        await creator.next('ready');
        creator.tell('create');
      }
      const [first, second] = creators;
      for (let i = 0; i <= round * 7; i += 1) await first!.next('created');
      await first!.kill();
      // The survivor goes on, whatever the other one was in the middle of.
      await second!.next('created');
      await second!.next('created');
      await second!.kill();
      using writer = openWriter<Uint8Array>(place.prefix, { codec: 'bytes' });
      const number = writer.publish(payload(1, 100));
      using reader = openReader<Uint8Array>(place.prefix);
      expect(isPayload(reader.current(), 1, 100)).toBe(true);
      expect(reader.version).toBe(number);
      expect(place.files().filter((name) => name.includes('tmp'))).toEqual([]);
      writer.destroy();
      expect(place.files()).toEqual([]);
    }
  });

  it('leaves a temporary file at most, which is in nobody’s way', async ({ place }) => {
    for (const content of ['', 'VTSTATE1', '\0'.repeat(4096)]) {
      writeFileSync(`${place.prefix}_state_tmp_4711`, content);
      using reader = openReader(place.prefix);
      expect(() => reader.current()).toThrowError(expect.objectContaining({ code: 'NOT_PUBLISHED' }));
      using writer = openWriter<Uint8Array>(place.prefix, { codec: 'bytes' });
      expect(place.files()).toEqual(['store_lock', 'store_state']);
      writer.destroy();
    }
  });
});

describe('a takeover', () => {
  it('cannot change what readers rely on: `reuse` is fixed for the life of a store', async ({
    place,
    start,
  }) => {
    const first = start('puppet');
    await first.ask('openWriter', { reuse: false });
    await first.ask('publish', { count: 2 });
    await first.kill();
    const second = start('puppet');
    await expect(second.ask('openWriter', {})).rejects.toMatchObject({
      code: 'OPTION_CONFLICT',
      field: 'reuse',
    });
    // Nothing was changed by that, and the lock is free.
    using reader = openReader<Uint8Array>(place.prefix);
    expect(isPayload(reader.current(), 2)).toBe(true);
    expect(await second.ask('openWriter', { reuse: false })).toBe(2);
    expect(await second.ask('publish')).toBe(3);
    expect(isPayload(reader.current(), 3)).toBe(true);
    await second.ask('closeWriter');

    const third = start('puppet');
    await expect(third.ask('openWriter', { reuse: true })).rejects.toMatchObject({ code: 'OPTION_CONFLICT' });
  });

  it('may bring another codec: readers decode each version with its own', async ({ place, start }) => {
    const first = start('puppet');
    await first.ask('openWriter');
    await first.ask('publish', { count: 2 });
    using reader = openReader<unknown>(place.prefix);
    expect(isPayload(reader.current() as Uint8Array, 2)).toBe(true);
    await first.kill();
    const json: Codec = {
      id: 'json',
      keepsBytes: false,
      encode: (value, target) => Buffer.from(target.reserve(1000)).write(JSON.stringify(value)),
      decode: (source) => JSON.parse(Buffer.from(source.buffer, 0, source.byteLength).toString()),
    };
    using second = openWriter<unknown>(place.prefix, { codec: 'msgpack' });
    // What was there is still what it was.
    expect(isPayload(reader.current() as Uint8Array, 2)).toBe(true);
    expect(second.publish({ now: 'msgpack' })).toBe(3);
    expect(reader.current()).toEqual({ now: 'msgpack' });
    second.close();
    using third = openWriter<unknown>(place.prefix, { codec: json });
    expect(third.publish({ now: 'json' })).toBe(4);
    expect(() => reader.current()).toThrowError(expect.objectContaining({ code: 'CODEC_UNKNOWN' }));
    using knowing = openReader<unknown>(place.prefix, { codecs: [json] });
    expect(knowing.current()).toEqual({ now: 'json' });
  });
});

describe('processes that know nothing of each other', () => {
  it('meet in any order: the reader first', async ({ place, start }) => {
    const reader = start('puppet');
    await reader.ask('openReader');
    expect(await reader.ask('currentError')).toBe('NOT_PUBLISHED');
    const writer = start('puppet');
    await writer.ask('openWriter');
    expect(await reader.ask('currentError')).toBe('NOT_PUBLISHED');
    await writer.ask('publish');
    expect(await reader.ask('current')).toEqual({ version: 1, byteLength: BYTE_LENGTH, isWhole: true });
    // A reader creates nothing.
    expect(place.files()).toEqual(['store_data_0', 'store_lock', 'store_state']);
  });

  it('need no common parent', async ({ place, orphan }) => {
    const reader = await orphan('stream-reader', { publishes: 2000, keep: 2 });
    const writer = await orphan('stream-writer', { publishes: 2000 });
    expect(await writer.output()).toContain('"event":"published"');
    expect(await reader.output()).toContain('"torn":0,"backwards":0,"last":2000');
    expect(place.files()).toContain('store_state');
  });
});
