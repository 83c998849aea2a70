import { readFileSync } from 'node:fs';
import { xxh3 } from '@node-rs/xxhash';
import { openWriter } from '../../src/index.ts';

/** A real store's bytes, with the fields that differ from run to run set to those that docs/format.md shows. */
export interface Specimen {
  readonly state: Buffer;
  readonly region: Buffer;
}

const STORE_ID = 0x1122334455667788n;
const BOOT_ID = 0x0123456789abcdefn;
const CREATED_AT_US = 1_767_225_600_000_000n;
const PUBLISHED_AT_US = CREATED_AT_US + 1_500_000n;
const PID = 4242;

export const CHECKSUM_OFFSET = 56;
export const HEADER_BYTE_LENGTH = 128;

/** As docs/format.md defines it: the header is hashed with the payload's hash in place of its own. */
export function checksumOf(region: Buffer): bigint {
  const header = Buffer.from(region.subarray(0, HEADER_BYTE_LENGTH));
  const isPayloadHashed = (header.readUInt32LE(20) & 1) !== 0;
  const payload = region.subarray(
    HEADER_BYTE_LENGTH,
    HEADER_BYTE_LENGTH + Number(header.readBigUInt64LE(48)),
  );
  header.writeBigUInt64LE(isPayloadHashed ? BigInt(xxh3.xxh64(payload)) : 0n, CHECKSUM_OFFSET);
  return BigInt(xxh3.xxh64(header));
}

export function takeSpecimen(location: string): Specimen {
  using writer = openWriter(location, { codec: 'msgpack' });
  writer.publish({ answer: 42 });
  const state = readFileSync(`${location}_state`);
  const region = readFileSync(`${location}_data_0`);

  state.writeBigUInt64LE(STORE_ID, 16);
  state.writeBigUInt64LE(CREATED_AT_US, 24);
  state.writeBigUInt64LE(BOOT_ID, 1152);
  state.writeBigUInt64LE(PUBLISHED_AT_US, 1176);
  state.writeUInt32LE(PID, 1184);
  region.writeBigUInt64LE(STORE_ID, 8);
  region.writeBigUInt64LE(PUBLISHED_AT_US, 40);
  const checksum = checksumOf(region);
  region.writeBigUInt64LE(checksum, CHECKSUM_OFFSET);
  const LOW_27 = (1n << 27n) - 1n;
  state.writeBigUInt64LE((state.readBigUInt64LE(64) & ~LOW_27) | (checksum & LOW_27), 64);
  return { state, region };
}

/** Like `hexdump -C`. */
export function hexDump(bytes: Buffer): string {
  const lines: string[] = [];
  let previous = '';
  for (let offset = 0; offset < bytes.length; offset += 16) {
    const row = bytes.subarray(offset, offset + 16);
    const octets = [...row].map((byte) => byte.toString(16).padStart(2, '0'));
    const content = octets.join(' ');
    if (content === previous) {
      if (lines.at(-1) !== '*') lines.push('*');
      continue;
    }
    previous = content;
    const text = [...row]
      .map((byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.'))
      .join('');
    const hex = `${octets.slice(0, 8).join(' ')}  ${octets.slice(8).join(' ')}`;
    lines.push(`${offset.toString(16).padStart(8, '0')}  ${hex}  |${text}|`);
  }
  lines.push(bytes.length.toString(16).padStart(8, '0'));
  return lines.join('\n');
}
