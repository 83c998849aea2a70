/**
 * Payloads that prove themselves: every byte follows from a number and the length. They are windows over one piece of
 * noise that does not repeat itself, so that bytes of another publish, or of the same one at another place, show.
 */
const LARGEST = 16 * 2 ** 20;
const STARTS = 2 ** 20;
const noise = makeNoise(STARTS + LARGEST);

/** The payload of a number. A window over memory that all payloads share: not to be written to. */
export function payload(number: number, byteLength: number): Uint8Array {
  const start = (Math.imul(number, 0x9e3779b1) ^ Math.imul(byteLength, 0x85ebca6b)) >>> 12;
  return noise.subarray(start, start + byteLength);
}

/** Whether the bytes are the payload of this number and length, all of them. */
export function isPayload(bytes: Uint8Array, number: number, byteLength: number = bytes.byteLength): boolean {
  return bytes.byteLength === byteLength && Buffer.compare(bytes, payload(number, byteLength)) === 0;
}

/** Where a stamped payload keeps its number. */
export const STAMP_BYTE_LENGTH = 8;

/** A payload that carries its number in front, for publishes that nobody lived to tell the number of. */
export function stamped(number: number, byteLength: number): Uint8Array {
  const bytes = payload(number, byteLength).slice();
  new DataView(bytes.buffer).setFloat64(0, number);
  return bytes;
}

/** The number that a stamped payload carries; throws unless every other byte belongs to it. */
export function stampOf(bytes: Uint8Array): number {
  const number = new DataView(bytes.buffer, bytes.byteOffset).getFloat64(0);
  const expected = payload(number, bytes.byteLength).subarray(STAMP_BYTE_LENGTH);
  if (Buffer.compare(bytes.subarray(STAMP_BYTE_LENGTH), expected) !== 0) {
    throw new Error(`${bytes.byteLength} bytes stamped ${number} are not the payload of that number`);
  }
  return number;
}

/** A fixed pseudo-random sequence (xorshift32), so that a failure can be repeated and processes agree. */
function makeNoise(byteLength: number): Uint8Array {
  const words = new Uint32Array(Math.ceil(byteLength / 4));
  let state = 0x9e3779b9;
  for (let i = 0; i < words.length; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[i] = state;
  }
  return new Uint8Array(words.buffer, 0, byteLength);
}
