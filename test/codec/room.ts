import type { Codec } from '../../src/index.ts';

/** What a codec writes, by itself: the room grows as a region would, and old buffers become invalid. */
export function encodeWith<In>(codec: Codec<In>, value: In): Uint8Array {
  let room = new ArrayBuffer(0);
  const byteLength = codec.encode(value, {
    lastByteLength: 0,
    reserve(asked, kept = 0) {
      if (asked <= room.byteLength) return room;
      const larger = new ArrayBuffer(asked + 7);
      new Uint8Array(larger).fill(0xee).set(new Uint8Array(room, 0, kept));
      room = larger;
      return room;
    },
  });
  return new Uint8Array(room, 0, byteLength);
}

/** What a codec reads from these bytes, which lie in a room that is longer. */
export function decodeBytes<Out>(codec: Codec<never, Out>, bytes: Uint8Array): Out {
  const buffer = new ArrayBuffer(bytes.byteLength + 5);
  new Uint8Array(buffer).fill(0xee).set(bytes);
  return codec.decode(
    {
      buffer,
      byteLength: bytes.byteLength,
      released: false,
      handOut: () => buffer.slice(0, bytes.byteLength),
    },
    { freeze: true },
  );
}
