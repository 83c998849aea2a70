import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bytesCodec } from '../../src/codec/bytes.ts';
import { failure, filled, freshLocation, PINNED_BYTE_LENGTH, read, writeBytes } from '../support/place.ts';
import { decodeBytes, encodeWith } from './room.ts';

describe('the bytes codec', () => {
  it('brings any bytes back as they were', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (value) => {
        expect(decodeBytes(bytesCodec, encodeWith(bytesCodec, value))).toEqual(value);
      }),
    );
  });

  it('takes a part of a buffer, and any kind of Uint8Array', () => {
    const whole = new Uint8Array([1, 2, 3, 4]);
    const shared = new Uint8Array(new SharedArrayBuffer(2)).fill(7);
    for (const value of [whole.subarray(1, 3), Buffer.from('ab'), shared, new Uint8Array()]) {
      expect([...encodeWith(bytesCodec, value)]).toEqual([...value]);
    }
  });

  it('gives a plain Uint8Array of exactly what was published, over the region where that pays', () => {
    const location = freshLocation();
    const writer = writeBytes(location);
    const reader = read<Uint8Array>(location);
    for (const length of [0, 1, PINNED_BYTE_LENGTH]) {
      writer.publish(filled(length, 1));
      const value = reader.current();
      expect(value.constructor).toBe(Uint8Array);
      expect([value.byteOffset, value.byteLength, value.buffer.byteLength]).toEqual([0, length, length]);
    }
    expect(reader.stats().copies).toBe(2);
  });

  it('refuses what is no Uint8Array', () => {
    const detached = new Uint8Array(4);
    structuredClone(detached.buffer, { transfer: [detached.buffer] });
    for (const value of [
      'abc',
      null,
      undefined,
      5,
      {},
      [1],
      new ArrayBuffer(1),
      new Int8Array(1),
      detached,
    ]) {
      const error = failure('VALUE_UNSUPPORTED', () => encodeWith(bytesCodec, value as Uint8Array));
      expect(error.field).toBe('$');
    }
  });
});
