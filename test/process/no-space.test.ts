import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { openReader, openWriter, type Reader, StoreError } from '../../src/index.ts';
import { isPayload, payload } from '../support/payload.ts';
import { it } from '../support/processes.ts';

const KIB = 1024;
const MIB = 1024 * KIB;

/** Mounts a small file system in memory, where that is permitted. */
function mountSmall(directory: string): boolean {
  mkdirSync(directory);
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', directory], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

function refusalOf(run: () => unknown): StoreError {
  try {
    run();
  } catch (error) {
    if (error instanceof StoreError) return error;
    throw error;
  }
  throw new Error('it was not refused');
}

/** Proves the newest version, and promises to be done with its bytes: nothing else would free them within one turn. */
function proveNewest(reader: Reader<Uint8Array>, number: number): void {
  const snapshot = reader.snapshot();
  expect(snapshot.version).toBe(number);
  expect(isPayload(snapshot.value, number, 300 * KIB)).toBe(true);
  snapshot.release({ detach: true });
}

describe('a full file system', () => {
  it('refuses a publish with what was asked, available and held, and nothing is lost', ({ place, skip }) => {
    const directory = join(place.directory, 'small');
    skip(!mountSmall(directory), 'mount is not permitted here');
    try {
      const prefix = join(directory, 'store');
      using writer = openWriter<Uint8Array>(prefix, { codec: 'bytes' });
      using reader = openReader<Uint8Array>(prefix);
      for (let number = 1; number <= 3; number += 1) writer.publish(payload(number, 300 * KIB));
      const held = reader.snapshot();

      const tooLarge = refusalOf(() => writer.publish(payload(4, 8 * MIB)));
      expect(tooLarge).toMatchObject({ code: 'NO_SPACE', errno: 'ENOSPC', path: prefix });
      expect(tooLarge.askedByteLength).toBeGreaterThanOrEqual(8 * MIB);
      expect(tooLarge.availableByteLength).toBeLessThan(2 * MIB);
      // What nobody needed was given back before it gave up: what is held is the newest version.
      expect(tooLarge.heldByteLength).toBeGreaterThanOrEqual(300 * KIB);
      expect(tooLarge.heldByteLength).toBeLessThan(600 * KIB);
      expect(tooLarge.message).toContain(directory);
      expect(writer.version).toBe(3);
      proveNewest(reader, 3);

      // Somebody else fills what is left: not even a region like the last one fits.
      const filler = join(directory, 'filler');
      expect(() => writeFileSync(filler, Buffer.alloc(4 * MIB))).toThrowError('ENOSPC');
      const full = refusalOf(() => writer.publish(payload(4, 300 * KIB)));
      expect(full).toMatchObject({ code: 'NO_SPACE', availableByteLength: 0 });
      proveNewest(reader, 3);
      expect(isPayload(held.value, 3, 300 * KIB)).toBe(true);
      expect(readdirSync(directory).filter((name) => name.includes('tmp'))).toEqual([]);
      held.release({ detach: true });

      rmSync(filler);
      for (let number = 4; number <= 12; number += 1) {
        expect(writer.publish(payload(number, 300 * KIB))).toBe(number);
        proveNewest(reader, number);
      }
    } finally {
      execFileSync('umount', ['--lazy', directory]);
    }
  });

  it('refuses to create a store, and leaves nothing behind', ({ place, skip }) => {
    const directory = join(place.directory, 'small');
    skip(!mountSmall(directory), 'mount is not permitted here');
    try {
      const filler = join(directory, 'filler');
      expect(() => writeFileSync(filler, Buffer.alloc(4 * MIB))).toThrowError('ENOSPC');
      const prefix = join(directory, 'store');
      expect(refusalOf(() => openWriter(prefix))).toMatchObject({ code: 'NO_SPACE' });
      expect(readdirSync(directory).filter((name) => !['filler', 'store_lock'].includes(name))).toEqual([]);
      rmSync(filler);
      using writer = openWriter<Uint8Array>(prefix, { codec: 'bytes' });
      expect(writer.publish(payload(1, 100))).toBe(1);
    } finally {
      execFileSync('umount', ['--lazy', directory]);
    }
  });
});

describe('a limit on the size of files (RLIMIT_FSIZE)', () => {
  it('refuses a publish, and does not end the process', async ({ place, start }) => {
    const writer = start('puppet', {}, { through: ['prlimit', `--fsize=${MIB}`] });
    await writer.ask('openWriter');
    await writer.ask('publish', { byteLength: 500 * KIB });
    await expect(writer.ask('publish', { byteLength: 2 * MIB })).rejects.toMatchObject({
      code: 'NO_SPACE',
      errno: 'EFBIG',
    });
    using reader = openReader<Uint8Array>(place.prefix);
    expect(isPayload(reader.current(), 1, 500 * KIB)).toBe(true);
    expect(await writer.ask('publish', { byteLength: 600 * KIB, count: 5 })).toBe(6);
    expect(isPayload(reader.current(), 6, 600 * KIB)).toBe(true);
    expect(place.files().filter((name) => name.includes('tmp'))).toEqual([]);
  });
});
