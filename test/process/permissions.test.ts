import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync } from 'node:fs';
import { describe, expect } from 'vitest';
import { openWriter } from '../../src/index.ts';
import { pinCount } from '../support/inspect.ts';
import { payload } from '../support/payload.ts';
import { it, NODE } from '../support/processes.ts';

const BYTE_LENGTH = 64 * 1024;
/** Nobody, who owns nothing here. Becoming somebody else takes root. */
const NOBODY = { uid: 65_534, gid: 65_534 };

/** Whether we may become nobody, and nobody may run the child programs: not where the checkout lies in a private place. */
function canBeNobody(): boolean {
  if (process.getuid?.() !== 0) return false;
  const looked = [NODE, import.meta.filename].map((path) => spawnSync('test', ['-r', path], NOBODY).status);
  return looked.every((status) => status === 0);
}

describe.skipIf(!canBeNobody())('a reader that is another user', () => {
  it('reads a store of `reuse: false` without write permission', async ({ place, start }) => {
    chmodSync(place.directory, 0o755);
    const writer = start('puppet');
    await writer.ask('openWriter', { reuse: false, mode: 0o644 });
    await writer.ask('publish', { byteLength: BYTE_LENGTH });
    const reader = start('puppet', {}, NOBODY);
    await reader.ask('openReader');
    const { id } = await reader.ask<{ id: number }>('hold');
    for (let version = 2; version <= 60; version += 1) {
      const byteLength = version % 2 === 0 ? BYTE_LENGTH : 1000;
      await writer.ask('publish', { byteLength });
      expect(await reader.ask('current')).toEqual({ version, byteLength, isWhole: true });
    }
    expect(await reader.ask('verifyHeld', { id })).toBe(true);
    // Nobody is counted; every publish replaces.
    expect(pinCount(place.prefix)).toBe(0);
    expect(await writer.ask('writerStats')).toMatchObject({ rewrites: 0, replacements: 60, regions: 2 });
    await expect(reader.ask('openWriter', { reuse: false })).rejects.toMatchObject({ code: 'PERMISSION' });
  });

  it('is told what is missing where readers count themselves in', async ({ place, start }) => {
    chmodSync(place.directory, 0o755);
    const reader = start('puppet', {}, NOBODY);
    await reader.ask('openReader');
    for (const [mode, code] of [
      [0o644, 'PERMISSION'],
      [0o600, 'PERMISSION'],
      [0o666, undefined],
    ] as const) {
      using writer = openWriter<Uint8Array>(place.prefix, { codec: 'bytes', mode });
      writer.publish(payload(writer.version + 1, BYTE_LENGTH));
      expect(await reader.ask('currentError'), mode.toString(8)).toBe(code);
    }
    expect(pinCount(place.prefix)).toBe(1);
  });

  it('cannot be given what it may not open: a private region in a store that it can read', async ({
    place,
    start,
  }) => {
    chmodSync(place.directory, 0o755);
    using writer = openWriter<Uint8Array>(place.prefix, { codec: 'bytes', reuse: false, mode: 0o644 });
    writer.publish(payload(1, BYTE_LENGTH));
    chmodSync(`${place.prefix}_data_0`, 0o600);
    const reader = start('puppet', {}, NOBODY);
    await reader.ask('openReader');
    expect(await reader.ask('currentError')).toBe('PERMISSION');
    writer.publish(payload(2, BYTE_LENGTH));
    expect(await reader.ask('current')).toEqual({ version: 2, byteLength: BYTE_LENGTH, isWhole: true });
  });

  it('finds nothing where it may not look, until it may', async ({ place, start }) => {
    const reader = start('puppet', {}, NOBODY);
    await reader.ask('openReader');
    using writer = openWriter<Uint8Array>(place.prefix, { codec: 'bytes', mode: 0o666 });
    writer.publish(payload(1, BYTE_LENGTH));
    expect(await reader.ask('currentError')).toBe('PERMISSION');
    chownSync(place.directory, NOBODY.uid, NOBODY.gid);
    expect(await reader.ask('current')).toMatchObject({ version: 1, isWhole: true });
  });
});
