import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import {
  type Codec,
  type EncodeTarget,
  type Loan,
  openReader,
  openWriter,
  type Snapshot,
  StoreError,
  verify,
} from '../src/index.ts';
import {
  collectUntil,
  expectFilled,
  failure,
  filled,
  freshDirectory,
  freshLocation,
  lengthCodec,
  lengthViewCodec,
  PINNED_BYTE_LENGTH,
  read,
  readerCounts,
  steppingCodec,
  thrownBy,
  write,
  writeBytes,
} from './support/place.ts';

describe('publishing', () => {
  it('numbers from 1, and goes on from there after the writer was closed and opened again', () => {
    const location = freshLocation();
    const first = write(location);
    expect(first.version).toBe(0);
    expect([first.publish('a'), first.publish('b'), first.version]).toEqual([1, 2, 2]);
    first.close();
    const second = write(location);
    expect(second.version).toBe(2);
    expect(second.publish('c')).toBe(3);
    expect(read(location).snapshot().version).toBe(3);
  });

  it('keeps what was published when the writer is closed, and when another one opens', () => {
    const location = freshLocation();
    const first = write(location);
    first.publish({ colour: 'red' });
    first.close();
    expect(read(location).current()).toEqual({ colour: 'red' });
    write(location);
    expect(read(location).current()).toEqual({ colour: 'red' });
  });

  it('numbers from 1 again in a store that was destroyed and created anew', () => {
    const location = freshLocation();
    const first = write(location);
    first.publish('a');
    first.publish('b');
    first.destroy();
    expect(write(location).publish('c')).toBe(1);
  });

  it('tells where the store is, in a form that readers take', () => {
    const location = freshLocation();
    const writer = write(location);
    expect(writer.location).toBe(location);
    writer.publish(7);
    const reader = read(writer.location);
    expect(reader.location).toBe(location);
    expect(reader.current()).toBe(7);
  });

  it('tells what it did', () => {
    const writer = writeBytes(freshLocation());
    const untouched = { version: 0, publishes: 0, publishedByteLength: 0, rewrites: 0, replacements: 0 };
    expect(writer.stats()).toEqual({ ...untouched, regions: 0, spareRegions: 0, heldByteLength: 0 });
    for (const length of [10, 20, 30]) writer.publish(filled(length, length));
    const after = { version: 3, publishes: 3, publishedByteLength: 60, rewrites: 1, replacements: 2 };
    expect(writer.stats()).toEqual({ ...after, regions: 2, spareRegions: 0, heldByteLength: 8192 });
  });

  it('distinguishes equal content published twice', () => {
    const location = freshLocation();
    const writer = write(location);
    const reader = read(location);
    writer.publish({ a: 1 });
    const first = reader.current();
    writer.publish({ a: 1 });
    expect(reader.current()).not.toBe(first);
    expect(reader.version).toBe(2);
  });

  it('does not let readers see what the publisher writes into its array afterwards', () => {
    const location = freshLocation();
    const writer = writeBytes(location);
    const value = filled(PINNED_BYTE_LENGTH, 1);
    writer.publish(value);
    const before = read<Uint8Array>(location).current();
    value.fill(2);
    expectFilled(before, PINNED_BYTE_LENGTH, 1);
    expectFilled(read<Uint8Array>(location).current(), PINNED_BYTE_LENGTH, 1);
  });

  it('publishes what a reader holds of this very store', () => {
    const location = freshLocation();
    const writer = writeBytes(location);
    const reader = read<Uint8Array>(location);
    for (const fill of [1, 2, 3]) writer.publish(filled(PINNED_BYTE_LENGTH, fill));
    writer.publish(reader.current());
    expect(reader.version).toBe(3);
    expectFilled(reader.current(), PINNED_BYTE_LENGTH, 3);
    expect(reader.version).toBe(4);
  });

  it('makes one writer of those at a location, and names its process', () => {
    const location = freshLocation();
    const writer = write(location);
    writer.publish('kept');
    const error = failure('WRITER_EXISTS', () => openWriter(location));
    expect(error.pid).toBe(process.pid);
    expect(error.path).toBe(location);
    writer.close();
    expect(write(location).publish('next')).toBe(2);
  });
});

describe('reading', () => {
  it('gives the same object until a newer version is there', () => {
    const location = freshLocation();
    const writer = write(location);
    const reader = read(location);
    writer.publish({ n: 1 });
    const first = reader.current();
    expect(reader.current()).toBe(first);
    expect(reader.snapshot().value).toBe(first);
    writer.publish({ n: 2 });
    const second = reader.snapshot().value;
    expect(second).toEqual({ n: 2 });
    expect(reader.current()).toBe(second);
    expect(first).toEqual({ n: 1 });
  });

  it('gives the same object after another writer has taken over', () => {
    const location = freshLocation();
    const writer = write(location);
    writer.publish({ n: 1 });
    const reader = read(location);
    const value = reader.current();
    writer.close();
    write(location);
    expect(reader.current()).toBe(value);
    expect(reader.stats()).toMatchObject({ adoptions: 1, skippedVersions: 0, attachments: 1 });
  });

  it('may come before the store and its writer, and makes nothing', () => {
    const location = freshLocation();
    const reader = read(location);
    expect(failure('NOT_PUBLISHED', () => reader.current()).path).toBe(location);
    expect(readdirSync(dirname(location))).toEqual([]);
    const writer = write(location);
    failure('NOT_PUBLISHED', () => reader.current());
    failure('NOT_PUBLISHED', () => reader.snapshot());
    expect(reader.version).toBe(0);
    writer.publish('there');
    expect(reader.current()).toBe('there');
    expect(reader.version).toBe(1);
  });

  it('may come before the directory of the store', () => {
    const reader = read(join(freshDirectory(), 'later', 'store'));
    failure('NOT_PUBLISHED', () => reader.current());
  });

  it('sees falsy values as values', () => {
    const location = freshLocation();
    const writer = write(location);
    const reader = read(location);
    for (const value of [null, 0, false, '']) {
      writer.publish(value);
      expect(reader.current()).toBe(value);
      expect(reader.current()).toBe(value);
    }
  });

  it('counts what it did', () => {
    const location = freshLocation();
    const writer = writeBytes(location);
    const reader = read(location);
    const untouched = { version: 0, adoptions: 0, copies: 0, skippedVersions: 0, attachments: 0 };
    expect(reader.stats()).toEqual({ ...untouched, heldSnapshots: 0 });
    writer.publish(filled(10, 1));
    reader.current();
    writer.publish(filled(PINNED_BYTE_LENGTH, 2));
    writer.publish(filled(PINNED_BYTE_LENGTH, 3));
    const held = [reader.snapshot(), reader.snapshot()];
    const after = { version: 3, adoptions: 2, copies: 1, skippedVersions: 1, attachments: 1 };
    expect(reader.stats()).toEqual({ ...after, heldSnapshots: 2 });
    held[0]?.release();
    held[0]?.release();
    expect(reader.stats().heldSnapshots).toBe(1);
  });

  it('keeps the last version when the store is destroyed, and goes on with the next store there', () => {
    const location = freshLocation();
    const writer = write(location);
    const reader = read(location);
    writer.publish('a');
    writer.publish('b');
    expect(reader.current()).toBe('b');
    writer.destroy();
    expect(reader.current()).toBe('b');
    const next = write(location);
    expect(reader.current()).toBe('b');
    next.publish('c');
    expect(reader.current()).toBe('c');
    expect(reader.version).toBe(1);
    expect(reader.stats()).toMatchObject({ attachments: 2, skippedVersions: 0 });
  });

  it('finds nothing where a store was destroyed before it came', () => {
    const location = freshLocation();
    const writer = write(location);
    writer.publish('a');
    writer.destroy();
    expect(readdirSync(dirname(location))).toEqual([]);
    failure('NOT_PUBLISHED', () => read(location).current());
  });

  it('keeps a write into its array to itself: other readers and later versions in the slot do not see it', () => {
    const location = freshLocation();
    const writer = writeBytes(location);
    for (const length of [100, PINNED_BYTE_LENGTH]) {
      const reader = read<Uint8Array>(location);
      const other = read<Uint8Array>(location);
      writer.publish(filled(length, 1));
      const before = other.current();
      const mine = reader.current();
      mine.fill(9);
      expectFilled(mine, length, 9);
      expectFilled(before, length, 1);
      expectFilled(read<Uint8Array>(location).current(), length, 1);
      // Through every slot several times, with `mine` kept all along.
      for (let fill = 2; fill < 40; fill += 1) {
        writer.publish(filled(length, fill));
        expectFilled(reader.current(), length, fill);
        expectFilled(other.current(), length, fill);
      }
      expectFilled(mine, length, 9);
    }
  });

  it('reads the region of its own version when a later one has been written to in the same slot', () => {
    const location = freshLocation();
    const writer = writeBytes(location);
    const reader = read<Uint8Array>(location);
    for (let fill = 1; fill < 60; fill += 1) {
      writer.publish(filled(PINNED_BYTE_LENGTH, fill));
      const snapshot = reader.snapshot();
      expectFilled(snapshot.value, PINNED_BYTE_LENGTH, fill);
      snapshot.value.fill(255);
      snapshot.release({ detach: true });
    }
    expect(writer.stats().rewrites).toBeGreaterThan(0);
  });

  it('verifies on request', () => {
    const location = freshLocation();
    const writer = write(location);
    writer.publish({ a: 1 });
    expect(verify(location)).toEqual({ version: 1, byteLength: 4, codec: 'msgpack' });
    const path = `${location}_data_0`;
    const bytes = readFileSync(path);
    bytes[128 + 3] = 2;
    writeFileSync(path, bytes);
    expect(failure('BYTES_INVALID', () => verify(location)).field).toBe('checksum');
    failure('BYTES_INVALID', () => read(location, { verify: true }).current());
    expect(read(location).current()).toEqual({ a: 2 });
  });
});

describe('a snapshot', () => {
  it('tells value, version, time and length, and keeps them while newer versions come', () => {
    const location = freshLocation();
    const writer = writeBytes(location);
    const reader = read<Uint8Array>(location);
    for (const length of [100, PINNED_BYTE_LENGTH]) {
      const earliest = Date.now();
      const number = writer.publish(filled(length, 1));
      const latest = Date.now();
      const snapshot = reader.snapshot();
      for (let fill = 2; fill < 30; fill += 1) {
        writer.publish(filled(length, fill));
        reader.current();
      }
      expect(snapshot.version).toBe(number);
      expect(snapshot.byteLength).toBe(length);
      expect(snapshot.codec).toBe('bytes');
      expect(Math.floor(snapshot.publishedAt)).toBeGreaterThanOrEqual(earliest);
      expect(Math.floor(snapshot.publishedAt)).toBeLessThanOrEqual(latest);
      expectFilled(snapshot.value, length, 1);
    }
  });

  it('refuses its value after release, and still tells which version it was', () => {
    const location = freshLocation();
    write(location).publish('a');
    const snapshot = read(location).snapshot();
    snapshot.release();
    expect(failure('SNAPSHOT_RELEASED', () => snapshot.value).message).toContain('version 1');
    expect([snapshot.version, snapshot.byteLength, snapshot.codec]).toEqual([1, 2, 'msgpack']);
    snapshot.release();
    snapshot[Symbol.dispose]();
  });

  it('is one of several handles on a version: releasing one disturbs neither the others nor current()', () => {
    const location = freshLocation();
    const writer = writeBytes(location);
    const reader = read<Uint8Array>(location);
    writer.publish(filled(PINNED_BYTE_LENGTH, 1));
    const [one, two] = [reader.snapshot(), reader.snapshot()];
    const current = reader.current();
    expect(one.value).toBe(two.value);
    one.release({ detach: true });
    failure('SNAPSHOT_RELEASED', () => one.value);
    for (let fill = 2; fill < 20; fill += 1) {
      writer.publish(filled(PINNED_BYTE_LENGTH, fill));
      reader.snapshot().release();
    }
    expectFilled(two.value, PINNED_BYTE_LENGTH, 1);
    two.release({ detach: true });
    expectFilled(current, PINNED_BYTE_LENGTH, 1);
  });

  it('leaves raw windows valid after release, until they are collected', async () => {
    const location = freshLocation();
    const writer = writeBytes(location);
    const reader = read<Uint8Array>(location);
    writer.publish(filled(PINNED_BYTE_LENGTH, 1));
    let snapshot: Snapshot<Uint8Array> | undefined = reader.snapshot();
    let window: Uint8Array | undefined = snapshot.value.subarray(5);
    snapshot.release();
    for (let fill = 2; fill < 20; fill += 1) writer.publish(filled(PINNED_BYTE_LENGTH, fill));
    reader.snapshot().release();
    expectFilled(window, PINNED_BYTE_LENGTH - 5, 1);
    // Pinned: every publish in its slot was a replacement, or went round it.
    expect(readerCounts(location).reduce((sum, count) => sum + count)).toBe(2);
    window = undefined;
    snapshot = undefined;
    await collectUntil(() => readerCounts(location).reduce((sum, count) => sum + count) === 1);
  });

  it('detaches its windows on request, when every handle on the version has said so', () => {
    const location = freshLocation();
    const writer = writeBytes(location);
    const reader = read<Uint8Array>(location);
    for (const lastSays of [true, false]) {
      writer.publish(filled(PINNED_BYTE_LENGTH, 1));
      const [one, two] = [reader.snapshot(), reader.snapshot()];
      const window = one.value;
      writer.publish(filled(PINNED_BYTE_LENGTH, 2));
      reader.snapshot().release();
      one.release({ detach: true });
      expect(window.byteLength).toBe(PINNED_BYTE_LENGTH);
      two.release({ detach: lastSays });
      expect(window.byteLength).toBe(lastSays ? 0 : PINNED_BYTE_LENGTH);
    }
  });

  it('lets go at once where no raw window was handed out', () => {
    const location = freshLocation();
    const writer = write(location, { codec: lengthCodec });
    const reader = read(location, { codecs: [lengthCodec] });
    writer.publish('x'.repeat(PINNED_BYTE_LENGTH));
    const snapshot = reader.snapshot();
    expect(snapshot.value).toBe(PINNED_BYTE_LENGTH);
    expect(readerCounts(location)).toContain(0);
    writer.publish('y');
    reader.snapshot().release();
    expect(readerCounts(location).every((count) => count === 0)).toBe(true);
  });

  it('that is forgotten lets go after garbage collection', async () => {
    const location = freshLocation();
    const writer = writeBytes(location);
    const reader = read<Uint8Array>(location);
    writer.publish(filled(PINNED_BYTE_LENGTH, 1));
    (() => reader.snapshot())();
    writer.publish(filled(PINNED_BYTE_LENGTH, 2));
    (() => reader.snapshot())();
    expect(readerCounts(location)).toEqual([1, 1]);
    await collectUntil(() => readerCounts(location)[0] === 0);
    expect(readerCounts(location)).toEqual([0, 1]);
  });

  it('outlives its reader', () => {
    const location = freshLocation();
    const writer = writeBytes(location);
    const reader = read<Uint8Array>(location);
    for (const length of [100, PINNED_BYTE_LENGTH]) writer.publish(filled(length, 1));
    const snapshot = reader.snapshot();
    reader.close();
    for (let fill = 2; fill < 20; fill += 1) writer.publish(filled(PINNED_BYTE_LENGTH, fill));
    expectFilled(snapshot.value, PINNED_BYTE_LENGTH, 1);
    snapshot.release();
  });

  it('can be held of 14 versions by 14 readers at a time', () => {
    const location = freshLocation();
    for (const reuse of [true, false]) {
      const writer = writeBytes(`${location}-${reuse}`, { slots: 14, reuse });
      const held = Array.from({ length: 14 }, (_, index) => {
        writer.publish(filled(PINNED_BYTE_LENGTH + index, index));
        return read<Uint8Array>(`${location}-${reuse}`).snapshot();
      });
      for (let fill = 14; fill < 100; fill += 1) writer.publish(filled(PINNED_BYTE_LENGTH, fill));
      for (const [index, snapshot] of held.entries()) {
        expect(snapshot.version).toBe(index + 1);
        expectFilled(snapshot.value, PINNED_BYTE_LENGTH + index, index);
      }
      expect(writer.stats().publishes).toBe(100);
    }
  });

  it('can be held of more versions than there are slots', () => {
    const location = freshLocation();
    const writer = writeBytes(location, { slots: 2 });
    const reader = read<Uint8Array>(location);
    const held = Array.from({ length: 40 }, (_, index) => {
      writer.publish(filled(PINNED_BYTE_LENGTH, index));
      return reader.snapshot();
    });
    for (const [index, { value }] of held.entries()) expectFilled(value, PINNED_BYTE_LENGTH, index);
    expect(writer.stats().regions).toBe(2);
  });
});

describe('closing', () => {
  it('can be done twice, on every side', () => {
    const location = freshLocation();
    const writer = write(location);
    writer.publish(1);
    const reader = read(location);
    reader.current();
    for (const closable of [writer, reader]) {
      closable.close();
      closable.close();
      closable[Symbol.dispose]();
    }
  });

  it('ends every method that would touch the store', () => {
    const location = freshLocation();
    const writer = writeBytes(location);
    const loan = writer.loan(1);
    writer.publish(filled(1, 1));
    writer.close();
    const closedWriter = [
      () => writer.publish(filled(1, 1)),
      () => writer.loan(1),
      () => writer.destroy(),
      () => loan.commit(),
    ];
    for (const call of closedWriter) expect(failure('CLOSED', call).path).toBe(location);
    const reader = read(location);
    reader.current();
    reader.close();
    for (const call of [() => reader.current(), () => reader.snapshot()]) {
      expect(failure('CLOSED', call).path).toBe(location);
    }
  });

  it('leaves what was known readable', () => {
    const location = freshLocation();
    const writer = write(location);
    writer.publish('a');
    writer.publish('b');
    const reader = read(location);
    reader.current();
    writer.close();
    reader.close();
    expect([writer.version, writer.location]).toEqual([2, location]);
    expect(writer.stats()).toMatchObject({ version: 2, publishes: 2, regions: 0, heldByteLength: 0 });
    expect([reader.version, reader.location]).toEqual([2, location]);
    expect(reader.stats()).toMatchObject({ version: 2, adoptions: 1 });
  });

  it('comes with `using`', () => {
    const location = freshLocation();
    let used: { version: number } | undefined;
    {
      using writer = openWriter<string>(location);
      using reader = openReader<string>(location);
      writer.publish('a');
      using snapshot = reader.snapshot();
      expect(snapshot.value).toBe('a');
      used = snapshot;
    }
    failure('SNAPSHOT_RELEASED', () => (used as Snapshot<string>).value);
    // The lock is free again.
    write(location);
  });

  it('takes the pins of its last version with it', () => {
    const location = freshLocation();
    const writer = write(location, { codec: lengthViewCodec });
    const reader = read(location, { codecs: [lengthViewCodec] });
    writer.publish('x'.repeat(PINNED_BYTE_LENGTH));
    reader.snapshot().release();
    expect(readerCounts(location)).toEqual([1]);
    reader.close();
    expect(readerCounts(location)).toEqual([0]);
  });

  it('destroys: the files go, and the writer is closed', () => {
    const location = freshLocation();
    const writer = write(location);
    writer.publish(1);
    writer.publish(2);
    expect(readdirSync(dirname(location)).sort()).toEqual([
      'store_data_0',
      'store_data_1',
      'store_lock',
      'store_state',
    ]);
    writer.destroy();
    expect(readdirSync(dirname(location))).toEqual([]);
    failure('CLOSED', () => writer.destroy());
    writer.close();
  });

  it('destroys nothing of a store whose name only begins alike', () => {
    const location = freshLocation();
    const names = [`${location}_data`, `${location}_state_tmp_1`, `${location}_data_0`, `${location}2`];
    const neighbours = names.map((name) => write(name));
    for (const neighbour of neighbours) neighbour.publish(neighbour.location);
    const writer = write(location);
    writer.publish(1);
    writer.destroy();
    for (const { location: name } of neighbours) expect(read(name).current()).toBe(name);
  });
});

describe('a loan', () => {
  it('is the bytes of the store, filled in place and committed', () => {
    const location = freshLocation();
    const writer = writeBytes(location);
    const reader = read<Uint8Array>(location);
    for (const length of [0, 1, 100, PINNED_BYTE_LENGTH, 100, 3_000_000]) {
      for (let fill = 1; fill < 6; fill += 1) {
        const loan = writer.loan(length);
        expect(loan).toBeInstanceOf(Uint8Array);
        expect([loan.length, loan.byteOffset, loan.buffer.byteLength]).toEqual([length, 0, length]);
        loan.fill(fill);
        expect(loan.commit()).toBe(writer.version);
        expectFilled(reader.current(), length, fill);
      }
    }
  });

  it('publishes nothing when it is aborted', () => {
    const location = freshLocation();
    const writer = writeBytes(location);
    writer.publish(filled(10, 1));
    for (let round = 0; round < 5; round += 1) {
      const loan = writer.loan(10);
      loan.fill(2);
      loan.abort();
    }
    expect(writer.version).toBe(1);
    expectFilled(read(location).current(), 10, 1);
    expect(readdirSync(dirname(location)).filter((name) => name.includes('tmp'))).toEqual([]);
    expect(writer.publish(filled(10, 3))).toBe(2);
  });

  it('ends once', () => {
    const writer = writeBytes(freshLocation());
    const committed = writer.loan(10);
    committed.commit();
    failure('LOAN_INVALID', () => committed.commit());
    failure('LOAN_INVALID', () => committed.abort());
    const aborted = writer.loan(10);
    aborted.abort();
    failure('LOAN_INVALID', () => aborted.abort());
    failure('LOAN_INVALID', () => aborted.commit());
    // Disposing is for a `using` that commits on the good path.
    committed[Symbol.dispose]();
    aborted[Symbol.dispose]();
    expect(writer.version).toBe(1);
  });

  it('is aborted by `using`, unless it was committed', () => {
    const location = freshLocation();
    const writer = writeBytes(location);
    let disposed: Loan;
    {
      using loan = writer.loan(10);
      loan.fill(1);
      disposed = loan;
    }
    failure('LOAN_INVALID', () => disposed.commit());
    expect(readdirSync(dirname(location)).filter((name) => name.includes('_tmp_'))).toEqual([]);
    expect(writer.version).toBe(0);
    {
      using loan = writer.loan(10);
      loan.commit();
    }
    expect(writer.version).toBe(1);
  });

  it('keeps late writes to itself', () => {
    const location = freshLocation();
    const writer = writeBytes(location);
    for (const length of [100, PINNED_BYTE_LENGTH]) {
      for (let fill = 1; fill < 10; fill += 1) {
        const loan = writer.loan(length);
        loan.fill(fill);
        loan.commit();
        loan.fill(255);
        expectFilled(loan, length, 255);
        expectFilled(read(location).current(), length, fill);
        const aborted = writer.loan(length);
        aborted.abort();
        aborted.fill(254);
        expectFilled(read(location).current(), length, fill);
      }
    }
  });

  it('keeps its bytes after the commit, whatever is published later', () => {
    const location = freshLocation();
    const writer = writeBytes(location);
    const loan = writer.loan(100);
    loan.fill(1);
    loan.commit();
    for (let fill = 2; fill < 20; fill += 1) writer.publish(filled(100, fill));
    expect(new Set(loan)).toEqual(new Set([1]));
  });

  it('keeps its slot from being rewritten while its array is reachable, and frees it after', async () => {
    const location = freshLocation();
    const writer = writeBytes(location);
    for (const fill of [1, 2]) writer.publish(filled(100, fill));
    let loan: Loan | undefined = writer.loan(100);
    loan.commit();
    writer.publish(filled(100, 3));
    const before = writer.stats();
    writer.publish(filled(100, 4));
    expect(writer.stats().replacements).toBe(before.replacements + 1);
    loan = undefined;
    await collectUntil(() => {
      const { rewrites } = writer.stats();
      writer.publish(filled(100, 5));
      writer.publish(filled(100, 6));
      return writer.stats().rewrites === rewrites + 2;
    });
  });

  it('that is forgotten frees its slot after garbage collection', async () => {
    const location = freshLocation();
    const writer = writeBytes(location);
    const temporaries = () => readdirSync(dirname(location)).filter((name) => name.includes('_tmp_'));
    (() => writer.loan(100).fill(1))();
    expect(temporaries()).toHaveLength(1);
    await collectUntil(() => temporaries().length === 0);
    for (const fill of [1, 2]) writer.publish(filled(100, fill));
    // In place this time: claimed, and so in nobody's reach.
    (() => writer.loan(100).fill(1))();
    await collectUntil(() => {
      const { rewrites } = writer.stats();
      writer.publish(filled(100, 3));
      writer.publish(filled(100, 4));
      return writer.stats().rewrites === rewrites + 2;
    });
  });

  it('goes on as a private array when its writer is closed', () => {
    const location = freshLocation();
    const writer = writeBytes(location);
    const fresh = writer.loan(100);
    for (const fill of [1, 2, 3]) writer.publish(filled(100, fill));
    const inPlace = writer.loan(100);
    expect(readdirSync(dirname(location)).filter((name) => name.includes('_tmp_'))).toHaveLength(1);
    writer.close();
    expect(readdirSync(dirname(location)).filter((name) => name.includes('_tmp_'))).toHaveLength(0);
    const next = writeBytes(location);
    for (let fill = 4; fill < 10; fill += 1) {
      for (const loan of [fresh, inPlace]) loan.fill(200 + fill);
      next.publish(filled(100, fill));
      for (const loan of [fresh, inPlace]) loan.fill(250);
      expectFilled(read(location).current(), 100, fill);
    }
    failure('CLOSED', () => fresh.commit());
    inPlace.abort();
    expect([fresh[0], inPlace[99]]).toEqual([250, 250]);
  });

  it('keeps its bytes when its writer is closed and the next one rewrites its region', () => {
    for (const ends of [true, false]) {
      const location = freshLocation();
      const writer = writeBytes(location);
      for (const fill of [1, 2]) writer.publish(filled(100_000, fill));
      const loan = writer.loan(100_000);
      loan.fill(3);
      if (ends) loan.commit();
      writer.close();
      const next = writeBytes(location);
      for (const fill of [4, 5, 6]) next.publish(filled(100_000, fill));
      expect(next.stats().rewrites).toBe(3);
      expectFilled(loan, 100_000, 3);
    }
  });

  it.runIf('transfer' in ArrayBuffer.prototype)('is published whole though its array was transferred', () => {
    const location = freshLocation();
    const writer = writeBytes(location);
    const loan = writer.loan(100);
    loan.fill(3);
    const moved = (loan.buffer as ArrayBuffer & { transfer(): ArrayBuffer }).transfer();
    loan.commit();
    new Uint8Array(moved).fill(4);
    expectFilled(read(location).current(), 100, 3);
  });

  it('can be filled from a file', async () => {
    const location = freshLocation();
    const writer = writeBytes(location);
    const path = join(freshDirectory(), 'model');
    const content = filled(1_000_000, 5);
    writeFileSync(path, content);
    await using file = await open(path);
    for (const target of [(loan: Loan) => loan, (loan: Loan) => loan.bytes]) {
      const loan = writer.loan(content.byteLength);
      const { bytesRead } = await file.read(target(loan), 0, content.byteLength, 0);
      expect(bytesRead).toBe(content.byteLength);
      loan.commit();
      expect(Buffer.compare(read<Uint8Array>(location).current(), content)).toBe(0);
    }
  });

  it('takes a read that is under way at the commit without harm to what is published later', async () => {
    const location = freshLocation();
    const writer = writeBytes(location);
    const path = join(freshDirectory(), 'model');
    writeFileSync(path, filled(4_000_000, 5));
    await using file = await open(path);
    for (let fill = 1; fill < 8; fill += 1) {
      const loan = writer.loan(4_000_000);
      const reading = file.read(loan.bytes, 0, loan.byteLength, 0);
      loan.commit();
      writer.publish(filled(4_000_000, 100 + fill));
      writer.publish(filled(4_000_000, fill));
      expect((await reading).bytesRead).toBe(4_000_000);
      expectFilled(read<Uint8Array>(location).current(), 4_000_000, fill);
      expect(loan[3_999_999]).toBe(5);
    }
  });

  it('can be open beside others and beside publishes', () => {
    const location = freshLocation();
    const writer = writeBytes(location);
    for (const fill of [1, 2, 3]) writer.publish(filled(100, fill));
    const loans = Array.from({ length: 4 }, (_, index) => writer.loan(100).fill(50 + index) as Loan);
    expect(writer.publish(filled(100, 4))).toBe(4);
    for (const [index, loan] of loans.entries()) {
      expect(loan.commit()).toBe(5 + index);
      expectFilled(read(location).current(), 100, 50 + index);
    }
  });

  it('takes the bytes codec and a length', () => {
    const location = freshLocation();
    expect(failure('OPTION_CONFLICT', () => write(`${location}m`).loan(1)).field).toBe('codec');
    const writer = writeBytes(location);
    for (const length of [-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, '1', undefined]) {
      expect(failure('OPTION_INVALID', () => writer.loan(length as number)).field).toBe('byteLength');
    }
    expect(writer.publish(filled(1, 1))).toBe(1);
  });

  it('has no descendants that are loans', () => {
    const loan = writeBytes(freshLocation()).loan(10);
    expect(loan.subarray(1).constructor).toBe(Uint8Array);
    expect(loan.slice(1).constructor).toBe(Uint8Array);
    expect(loan.map((byte) => byte + 1).constructor).toBe(Uint8Array);
  });
});

describe('options', () => {
  /** The umask of this process must not be changed: worker threads cannot, and other tests would see it. */
  const modesUnder = (umask: string, mode: string): Record<string, string> => {
    const location = freshLocation();
    const script = `
      process.umask(0o${umask});
      const { openWriter } = await import(${JSON.stringify(new URL('../src/index.ts', import.meta.url).href)});
      const writer = openWriter(${JSON.stringify(location)}, { codec: 'bytes', ${mode} });
      for (let size = 1; size < 4; size += 1) writer.publish(new Uint8Array(size));
      writer.close();`;
    const child = spawnSync(process.execPath, ['--import', 'tsx', '--input-type=module', '--eval', script], {
      encoding: 'utf8',
    });
    expect(child.stderr).toBe('');
    return modesOf(location);
  };
  const modesOf = (location: string): Record<string, string> =>
    Object.fromEntries(
      readdirSync(dirname(location))
        .sort()
        .map((name) => [name, (statSync(join(dirname(location), name)).mode & 0o777).toString(8)]),
    );

  it('mode: owner only by default, as given otherwise, whatever the umask; the lock stays private', () => {
    const own = { store_data_0: '600', store_data_1: '600', store_lock: '600', store_state: '600' };
    expect(modesUnder('000', '')).toEqual(own);
    const all = { store_data_0: '666', store_data_1: '666', store_lock: '600', store_state: '666' };
    expect(modesUnder('077', 'mode: 0o666')).toEqual(all);
  });

  it('mode: a later writer changes it for the files that are there and those that come, or leaves it', () => {
    const location = freshLocation();
    const all = (mode: string) => ({
      store_data_0: mode,
      store_data_1: mode,
      store_lock: '600',
      store_state: mode,
    });
    const reopen = (mode: { mode?: number }) => {
      const writer = writeBytes(location, mode);
      for (const size of [1_000, 100_000, 10, 200_000]) writer.publish(filled(size, 2));
      writer.close();
      return modesOf(location);
    };
    expect(reopen({ mode: 0o640 })).toEqual(all('640'));
    expect(reopen({ mode: 0o604 })).toEqual(all('604'));
    expect(reopen({})).toEqual(all('604'));
  });

  it('slots: bounds how many regions there are while readers hold on', () => {
    for (const slots of [2, 5, 14]) {
      const location = freshLocation();
      const writer = writeBytes(location, { slots });
      const reader = read<Uint8Array>(location);
      const held = Array.from({ length: 20 }, (_, fill) => {
        writer.publish(filled(PINNED_BYTE_LENGTH, fill));
        return reader.snapshot();
      });
      expect(writer.stats()).toMatchObject({ regions: slots, spareRegions: slots - 2 });
      for (const [fill, { value }] of held.entries()) expectFilled(value, PINNED_BYTE_LENGTH, fill);
    }
  });

  it('reuse: false replaces every region, and readers are not counted', () => {
    const location = freshLocation();
    const writer = writeBytes(location, { reuse: false });
    const reader = read<Uint8Array>(location);
    const held: Snapshot<Uint8Array>[] = [];
    for (let fill = 1; fill <= 20; fill += 1) {
      writer.publish(filled(PINNED_BYTE_LENGTH, fill));
      held.push(reader.snapshot());
      expect(readerCounts(location).every((count) => count === 0)).toBe(true);
    }
    expect(writer.stats()).toMatchObject({ publishes: 20, rewrites: 0, replacements: 20, regions: 2 });
    for (const [index, { value }] of held.entries()) {
      expectFilled(value, PINNED_BYTE_LENGTH, index + 1);
    }
  });

  it('reuse: holds for the life of a store', () => {
    const location = freshLocation();
    const writer = write(location, { reuse: false });
    writer.publish('kept');
    writer.close();
    const error = failure('OPTION_CONFLICT', () => openWriter(location));
    expect([error.field, error.path]).toEqual(['reuse', `${location}_state`]);
    expect(read(location).current()).toBe('kept');
    // The lock is free, and the store as it was.
    const again = write(location, { reuse: false });
    again.destroy();
    write(location).publish('anew');
    expect(read(location).current()).toBe('anew');
  });

  it('checksum: false hashes the header alone', () => {
    const location = freshLocation();
    const writer = write(location, { checksum: false });
    writer.publish({ a: 1 });
    writer.publish({ a: 1 });
    expect(read(location).snapshot()).toMatchObject({ version: 2, value: { a: 1 } });
    const path = `${location}_data_1`;
    const region = readFileSync(path);
    expect(region.readUInt32LE(20)).toBe(0);
    // Damage to the payload goes unseen, damage to the header does not.
    region[128 + 3] = 2;
    writeFileSync(path, region);
    expect(verify(location).version).toBe(2);
    region[40] = region[40]! ^ 1;
    writeFileSync(path, region);
    failure('BYTES_INVALID', () => verify(location));
  });

  it('are checked, with the option in `field`', () => {
    const location = freshLocation();
    const wrongForWriter: [string, unknown[]][] = [
      ['mode', [-1, 0o1000, 1.5, '600', null, Object.create(null), 0o400, 0o200, 0o060]],
      ['slots', [1, 0, -1, 15, 2.5, Number.NaN, '8', null]],
      ['reuse', [0, 1, 'yes', null]],
      ['checksum', [0, 'no', null]],
      ['codec', ['json', '', 5, null, {}, { ...steppingCodec, id: 'Capital' }, { ...steppingCodec, id: '' }]],
      [
        'codec',
        [
          { ...steppingCodec, id: 'seventeen-letters' },
          { ...steppingCodec, encode: 1 },
        ],
      ],
      [
        'codec',
        [
          { ...steppingCodec, decode: 1 },
          { ...steppingCodec, keepsBytes: 1 },
        ],
      ],
    ];
    for (const [field, values] of wrongForWriter) {
      for (const value of values) {
        const error = failure('OPTION_INVALID', () => openWriter(location, { [field]: value } as object));
        expect(error.field).toBe(field);
      }
    }
    const wrongForReader: [string, unknown[]][] = [
      ['freeze', [0, null]],
      ['verify', [1, 'yes']],
      ['codecs', [null, 5, {}, steppingCodec]],
      ['codec', [[{}], [null], [undefined]]],
    ];
    for (const [field, values] of wrongForReader) {
      const option = field === 'codec' ? 'codecs' : field;
      for (const value of values) {
        const error = failure('OPTION_INVALID', () => openReader(location, { [option]: value } as object));
        expect(error.field).toBe(field);
      }
    }
    expect(readdirSync(dirname(location))).toEqual([]);
  });

  it('may be given as undefined', () => {
    const location = freshLocation();
    const absent = {
      mode: undefined,
      slots: undefined,
      reuse: undefined,
      checksum: undefined,
      codec: undefined,
    };
    write(location, absent as object).publish(1);
    expect(read(location, { codecs: undefined, freeze: undefined } as object).current()).toBe(1);
  });
});

describe('what cannot be published', () => {
  it('is refused with its path, publishes nothing, and the version before stays current', () => {
    const location = freshLocation();
    const writer = write<unknown>(location);
    const reader = read(location);
    writer.publish('before');
    const value = { routes: [1, 2, { handler: () => 1 }] };
    expect(failure('VALUE_UNSUPPORTED', () => writer.publish(value)).field).toBe('$.routes[2].handler');
    expect([writer.version, reader.current()]).toEqual([1, 'before']);
    expect(writer.publish('after')).toBe(2);
    expect(reader.current()).toBe('after');
  });

  it('is refused when it is too large, before anything is allocated', () => {
    const location = freshLocation();
    const writer = writeBytes(location);
    writer.publish(filled(10, 1));
    const { heldByteLength } = writer.stats();
    for (const length of [2 ** 32 - 4096 + 1, 2 ** 32, 2 ** 52]) {
      const error = failure('VALUE_TOO_LARGE', () => writer.loan(length));
      expect(error).toMatchObject({ path: location, askedByteLength: length });
      expect(error.availableByteLength).toBe(2 ** 32 - 4096);
    }
    expect(writer.stats()).toMatchObject({ version: 1, heldByteLength });
    expect(readdirSync(dirname(location)).filter((name) => name.includes('_tmp_'))).toEqual([]);
    expect(writer.publish(filled(10, 2))).toBe(2);
  });
});

describe("a codec of one's own", () => {
  it('is named in the store, and given to the reader', () => {
    const location = freshLocation();
    const writer = write<string>(location, { codec: steppingCodec });
    writer.publish('grüezi');
    expect(read(location, { codecs: [lengthCodec, steppingCodec] }).current()).toBe('grüezi');
    const reader = read(location, { codecs: [lengthCodec] });
    const error = failure('CODEC_UNKNOWN', () => reader.current());
    expect([error.field, error.path]).toEqual(['codecs', location]);
    expect(error.message).toContain('"stepping"');
    failure('CODEC_UNKNOWN', () => read(location).snapshot());
    // Nothing stays pinned by what was not understood.
    writer.publish('x'.repeat(PINNED_BYTE_LENGTH));
    failure('CODEC_UNKNOWN', () => read(location).current());
    expect(readerCounts(location).every((count) => count === 0)).toBe(true);
  });

  it('goes before a built-in one of the same name', () => {
    const location = freshLocation();
    write(location).publish('a');
    const own: Codec = { ...steppingCodec, id: 'msgpack', decode: () => 'own' } as Codec;
    expect(read(location, { codecs: [own] }).current()).toBe('own');
  });

  it('may be another one from version to version', () => {
    const location = freshLocation();
    const reader = read(location, { codecs: [steppingCodec, lengthCodec] });
    const seen: unknown[] = [];
    for (const codec of [steppingCodec, 'msgpack', lengthCodec] as const) {
      const writer = openWriter<string>(location, { codec: codec as Codec<string> });
      writer.publish('hello');
      writer.close();
      seen.push(reader.current());
    }
    expect(seen).toEqual(['hello', 'hello', 5]);
  });

  it('may ask for room in many small steps, in a fresh region and in one to be rewritten', () => {
    const location = freshLocation();
    const writer = write<string>(location, { codec: steppingCodec });
    const reader = read<string>(location, { codecs: [steppingCodec] });
    for (const length of [9_000, 1, 9_000, 30_000, 10, 60_000, 0]) {
      const value = Array.from({ length }, (_, index) => String.fromCharCode(97 + (index % 26))).join('');
      writer.publish(value);
      expect(reader.current()).toBe(value);
    }
    expect(writer.stats().heldByteLength).toBeLessThan(400_000);
  });

  it('is told the length of the last publish', () => {
    const hints: number[] = [];
    const codec: Codec<string> = {
      ...steppingCodec,
      encode(value, target) {
        hints.push(target.lastByteLength);
        return steppingCodec.encode(value, target);
      },
    };
    const writer = write<string>(freshLocation(), { codec });
    for (const value of ['abc', '', 'de']) writer.publish(value);
    writer.publish('f');
    expect(hints).toEqual([0, 3, 0, 2]);
  });

  it('gets the same room again while its region is reused', () => {
    const rooms = new Set<ArrayBuffer>();
    const codec: Codec<string> = {
      ...steppingCodec,
      encode(value, target) {
        rooms.add(target.reserve(1));
        return steppingCodec.encode(value, target);
      },
    };
    const writer = write<string>(freshLocation(), { codec });
    for (let round = 0; round < 20; round += 1) writer.publish('a');
    // Two that were fresh, and the two of the double buffer.
    expect(rooms.size).toBeLessThanOrEqual(4);
  });

  it('that throws half way publishes nothing, and the writer goes on', () => {
    const location = freshLocation();
    const codec: Codec<string> = {
      ...steppingCodec,
      encode(value, target) {
        const byteLength = steppingCodec.encode(value, target);
        if (value.startsWith('bad')) throw new RangeError('half way');
        return byteLength;
      },
    };
    const writer = write<string>(location, { codec });
    const reader = read<string>(location, { codecs: [codec] });
    for (let round = 0; round < 20; round += 1) {
      // Into a fresh region, into one that is rewritten, and out of that into a larger one.
      for (const bad of ['bad', `bad${'x'.repeat(10_000)}`]) {
        expect(thrownBy(() => writer.publish(bad))).toEqual(new RangeError('half way'));
      }
      expect(writer.publish(`good ${round}`)).toBe(round + 1);
      expect(reader.current()).toBe(`good ${round}`);
    }
    expect(writer.stats()).toMatchObject({ publishes: 20, regions: 2, heldByteLength: 8192 });
    expect(readdirSync(dirname(location)).filter((name) => name.includes('_tmp_'))).toEqual([]);
  });

  it('may publish from within encode', () => {
    const location = freshLocation();
    const codec: Codec<string> = {
      ...steppingCodec,
      encode(value, target) {
        target.reserve(1);
        if (value.length > 1) writer.publish(value.slice(1));
        return steppingCodec.encode(value, target);
      },
    };
    const writer = write<string>(location, { codec });
    const reader = read<string>(location, { codecs: [codec] });
    for (let round = 0; round < 5; round += 1) {
      expect(writer.publish('abcdefgh')).toBe(8 * (round + 1));
      expect(reader.current()).toBe('abcdefgh');
    }
  });

  it('may close or destroy the writer from within encode', () => {
    for (const end of ['close', 'destroy'] as const) {
      for (const reservesBefore of [true, false]) {
        for (const reservesAfter of [1, 100_000]) {
          const location = freshLocation();
          const codec: Codec<string> = {
            ...steppingCodec,
            encode(value, target) {
              if (value === 'good') return steppingCodec.encode(value, target);
              if (reservesBefore) target.reserve(10);
              writer[end]();
              target.reserve(reservesAfter);
              return 1;
            },
          };
          const writer = write<string>(location, { codec });
          for (let round = 0; round < 3; round += 1) writer.publish('good');
          failure('CLOSED', () => writer.publish('bad'));
          const reader = read<string>(location, { codecs: [codec] });
          if (end === 'close') expect(reader.current()).toBe('good');
          else failure('NOT_PUBLISHED', () => reader.current());
          expect(write<string>(location, { codec }).publish('good')).toBe(end === 'close' ? 4 : 1);
        }
      }
    }
  });

  it('that answers with no length in its room publishes nothing', () => {
    const answers = [
      -1,
      1.5,
      Number.NaN,
      Number.POSITIVE_INFINITY,
      2 ** 40,
      1e6,
      '1',
      undefined,
      Promise.resolve(1),
    ];
    for (const answer of answers) {
      const location = freshLocation();
      const codec = {
        ...steppingCodec,
        encode: (value: string, target: EncodeTarget) => {
          if (value === 'good') return steppingCodec.encode(value, target);
          target.reserve(10);
          return answer as number;
        },
      };
      const writer = write<string>(location, { codec });
      for (let round = 0; round < 3; round += 1) writer.publish('good');
      expect(failure('OPTION_INVALID', () => writer.publish('bad')).field).toBe('codec');
      expect(read(location, { codecs: [codec] }).current()).toBe('good');
      expect(writer.publish('good')).toBe(4);
      expect(readdirSync(dirname(location)).filter((name) => name.includes('_tmp_'))).toEqual([]);
    }
  });

  it('that asks for no length is refused', () => {
    const asked: [unknown, unknown][] = [
      [-1, 0],
      [1.5, 0],
      [Number.NaN, 0],
      ['10', 0],
      [undefined, 0],
      [10, -1],
      [10, 1.5],
      [10, 11],
      [10_000, 10_001],
      [10_000, 5_000],
      [10, Number.NaN],
    ];
    for (const [byteLength, kept] of asked) {
      const location = freshLocation();
      const codec = {
        ...steppingCodec,
        encode: (value: string, target: EncodeTarget) => {
          if (value === 'good') return steppingCodec.encode(value, target);
          target.reserve(10);
          target.reserve(byteLength as number, kept as number);
          return 1;
        },
      };
      const writer = write<string>(location, { codec });
      for (let round = 0; round < 3; round += 1) writer.publish('good');
      const error = failure('OPTION_INVALID', () => writer.publish('bad'));
      expect(error.field).toBe('codec');
      expect(writer.publish('good')).toBe(4);
      expect(readdirSync(dirname(location)).filter((name) => name.includes('_tmp_'))).toEqual([]);
    }
  });

  it('reserves nothing once its publish has ended', () => {
    const location = freshLocation();
    const targets: EncodeTarget[] = [];
    const codec: Codec<string> = {
      ...steppingCodec,
      encode(value, target) {
        targets.push(target);
        if (value === 'bad') throw new RangeError('half way');
        return steppingCodec.encode(value, target);
      },
    };
    const writer = write<string>(location, { codec });
    for (const value of ['a', 'b', 'c', 'bad']) thrownBy(() => writer.publish(value));
    for (const target of targets) {
      for (const byteLength of [1, 100_000]) failure('CLOSED', () => target.reserve(byteLength));
    }
    expect(read(location, { codecs: [codec] }).current()).toBe('c');
    expect(writer.publish('d')).toBe(4);
  });

  it('whose decode throws leaves the version before, and is asked again', () => {
    const location = freshLocation();
    const codec: Codec<string, string> = {
      ...steppingCodec,
      decode(source) {
        const value = steppingCodec.decode(source, { freeze: true });
        if (value.startsWith('bad')) throw new SyntaxError('bad bytes');
        return value;
      },
    };
    const writer = write<string>(location, { codec });
    const reader = read<string>(location, { codecs: [codec] });
    writer.publish('good');
    const snapshot = reader.snapshot();
    for (const length of [3, PINNED_BYTE_LENGTH]) {
      writer.publish('bad'.padEnd(length, '.'));
      for (const call of [() => reader.current(), () => reader.snapshot(), () => reader.current()]) {
        expect(thrownBy(call)).toEqual(new SyntaxError('bad bytes'));
      }
      expect([reader.version, snapshot.value]).toEqual([1, 'good']);
    }
    writer.publish('better');
    expect(reader.current()).toBe('better');
    expect(readerCounts(location).every((count) => count === 0)).toBe(true);
  });

  it('may write into the bytes it decodes from', () => {
    const location = freshLocation();
    const codec: Codec<string, number> = {
      ...lengthCodec,
      keepsBytes: true,
      decode(source) {
        const bytes = new Uint8Array(source.buffer, 0, source.byteLength);
        bytes.fill(1);
        return bytes.length;
      },
    };
    const writer = write<string>(location, { codec });
    writer.publish('x'.repeat(PINNED_BYTE_LENGTH));
    expect(read(location, { codecs: [codec] }).current()).toBe(PINNED_BYTE_LENGTH);
    expect(read(location, { codecs: [{ ...steppingCodec, id: 'length' }] }).current()).toBe(
      'x'.repeat(PINNED_BYTE_LENGTH),
    );
  });

  it('is told when the bytes of its view have been let go', () => {
    const location = freshLocation();
    type View = { first(): number; isReleased(): boolean };
    const codec: Codec<string, View> = {
      ...lengthCodec,
      id: 'view',
      keepsBytes: true,
      decode: (source) => ({
        first: () => new Uint8Array(source.buffer)[0]!,
        isReleased: () => source.released,
      }),
    };
    const writer = write<string>(location, { codec });
    const reader = read<View>(location, { codecs: [codec] });
    for (const length of [10, PINNED_BYTE_LENGTH]) {
      writer.publish('x'.repeat(length));
      const snapshot = reader.snapshot();
      const view = snapshot.value;
      expect([view.first(), view.isReleased()]).toEqual([120, false]);
      writer.publish('y');
      reader.snapshot().release();
      expect(view.isReleased()).toBe(false);
      snapshot.release();
      expect(view.isReleased()).toBe(true);
      failure('SNAPSHOT_RELEASED', () => view.first());
    }
  });

  it('is asked to validate when the reader verifies', () => {
    const location = freshLocation();
    const codec = {
      ...steppingCodec,
      validate() {
        throw new StoreError('BYTES_INVALID', 'not as it should be: publish again');
      },
    };
    write<string>(location, { codec }).publish('a');
    expect(read(location, { codecs: [codec] }).current()).toBe('a');
    failure('BYTES_INVALID', () => read(location, { codecs: [codec], verify: true }).current());
  });
});

describe('a writer whose files are gone', () => {
  const LOST_CHECK_MS = 1000;

  it('says STORE_LOST, at once where it replaces a region, and again each time', () => {
    for (const file of ['_state', '_lock']) {
      const location = freshLocation();
      const writer = write(location, { reuse: false });
      writer.publish('a');
      const reader = read(location);
      expect(reader.current()).toBe('a');
      rmSync(`${location}${file}`);
      for (let round = 0; round < 3; round += 1) {
        expect(failure('STORE_LOST', () => writer.publish('b')).path).toBe(location);
      }
      expect(writer.version).toBe(1);
      expect(reader.current()).toBe('a');
      writer.close();
    }
  });

  it('looks once a second where it rewrites in place', () => {
    const location = freshLocation();
    const writer = write(location);
    for (const value of ['a', 'b', 'c']) writer.publish(value);
    const reader = read(location);
    expect(reader.current()).toBe('c');
    rmSync(`${location}_state`);
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + LOST_CHECK_MS });
    onTestFinished(() => void vi.useRealTimers());
    for (let round = 0; round < 3; round += 1) failure('STORE_LOST', () => writer.publish('d'));
    expect(reader.current()).toBe('c');
  });

  it('stays lost when the file comes back', () => {
    const location = freshLocation();
    const writer = write(location, { reuse: false });
    writer.publish('a');
    renameSync(`${location}_state`, `${location}_away`);
    failure('STORE_LOST', () => writer.publish('b'));
    renameSync(`${location}_away`, `${location}_state`);
    failure('STORE_LOST', () => writer.publish('b'));
    failure('STORE_LOST', () => writer.destroy());
    expect(existsSync(`${location}_state`)).toBe(true);
  });

  it('lets its readers go on to the store that has come to its place, and does it no harm', () => {
    const location = freshLocation();
    const writer = write(location, { reuse: false });
    writer.publish('old');
    const reader = read(location);
    expect(reader.current()).toBe('old');
    for (const name of readdirSync(dirname(location))) rmSync(join(dirname(location), name));
    const next = write(location);
    next.publish('new');
    failure('STORE_LOST', () => writer.publish('older'));
    expect(reader.current()).toBe('new');
    failure('STORE_LOST', () => writer.destroy());
    expect(read(location).current()).toBe('new');
    expect(existsSync(`${location}_lock`)).toBe(true);
    next.publish('newer');
    expect(reader.current()).toBe('newer');
  });

  it('does no harm to its successor when it has not noticed yet', () => {
    const location = freshLocation();
    const writer = write(location);
    writer.publish('old');
    for (const name of readdirSync(dirname(location))) rmSync(join(dirname(location), name));
    const next = write(location);
    next.publish('new');
    failure('STORE_LOST', () => writer.destroy());
    failure('CLOSED', () => writer.publish('older'));
    expect(read(location).current()).toBe('new');
    expect(next.publish('newer')).toBe(2);
  });

  it('puts back a region that somebody deleted', () => {
    const location = freshLocation();
    const writer = writeBytes(location);
    const reader = read(location);
    for (const fill of [1, 2, 3]) writer.publish(filled(100, fill));
    for (const slot of [0, 1]) rmSync(`${location}_data_${slot}`);
    failure('REGION_INVALID', () => reader.current());
    // Larger, so that a region is allocated: that is when it looks.
    writer.publish(filled(PINNED_BYTE_LENGTH, 4));
    expectFilled(reader.current(), PINNED_BYTE_LENGTH, 4);
    for (const fill of [5, 6, 7]) {
      writer.publish(filled(PINNED_BYTE_LENGTH, fill));
      expectFilled(read(location).current(), PINNED_BYTE_LENGTH, fill);
    }
  });

  it('commits a loan whose region somebody deleted, or throws; and goes on', () => {
    const location = freshLocation();
    const writer = writeBytes(location);
    for (const fill of [1, 2, 3]) writer.publish(filled(100, fill));
    const loan = writer.loan(100);
    for (const slot of [0, 1]) rmSync(`${location}_data_${slot}`);
    writer.publish(filled(PINNED_BYTE_LENGTH, 4));
    expectFilled(read(location).current(), PINNED_BYTE_LENGTH, 4);
    loan.fill(5);
    expect(loan.commit()).toBe(5);
    expect(writer.publish(filled(PINNED_BYTE_LENGTH, 6))).toBe(6);
    expectFilled(read(location).current(), PINNED_BYTE_LENGTH, 6);
  });
});
