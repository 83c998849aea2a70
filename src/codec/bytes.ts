import { StoreError } from '../errors.ts';
import type { Codec, DecodeSource, EncodeTarget } from './codec.ts';

/**
 * Bytes as they are. Published: any Uint8Array (a Buffer too). Read: a Uint8Array over the region itself, without a
 * copy for all but small payloads; what is written into it stays with this reader.
 */
export const bytesCodec: Codec<Uint8Array, Uint8Array> = {
  id: 'bytes',
  keepsBytes: true,

  encode(value: Uint8Array, target: EncodeTarget): number {
    if (!(value instanceof Uint8Array)) {
      const type = value === null ? 'null' : typeof value;
      throw new StoreError(
        'VALUE_UNSUPPORTED',
        `the bytes codec takes a Uint8Array, not ${type} at $: publish one, or open the writer with another codec`,
        { field: '$' },
      );
    }
    const { byteLength } = value;
    // Room is asked for first: a value that lies in the room itself (a loan, a reader's window) is not moved by it.
    const room = new Uint8Array(target.reserve(byteLength), 0, byteLength);
    try {
      room.set(value);
    } catch (cause) {
      throw new StoreError(
        'VALUE_UNSUPPORTED',
        'the array at $ is detached, its bytes were transferred: publish it before it is transferred, or a copy',
        { cause, field: '$' },
      );
    }
    return byteLength;
  },

  decode(source: DecodeSource): Uint8Array {
    return new Uint8Array(source.handOut(), 0, source.byteLength);
  },
};
