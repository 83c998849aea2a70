import { Decoder, Encoder, ExtensionCodec } from '@msgpack/msgpack';
import { StoreError } from '../errors.ts';
import type { Codec, DecodeSource, EncodeTarget } from './codec.ts';

/** Deep enough for data; a cycle is found here. */
const DEPTH_LIMIT = 512;

/** Application types of the format; docs/format.md tells them to other languages. */
const Extension = { map: 1, set: 2, typedArray: 3 } as const;

/** Kinds of a typed array on the wire: their index here. Appending is compatible, reordering is not. */
const TYPED_ARRAYS = [
  ArrayBuffer,
  DataView,
  Int8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array,
] as const;

type TypedArrayConstructor = new (buffer: ArrayBufferLike) => ArrayBufferView;

/** Encoder and decoder meet in the extensions: a Map holds values that are encoded in turn. */
const extensionCodec = new ExtensionCodec();
// With `useBigInt64` a bigint is an int64 on the wire, and an integer number beyond 32 bits a float64: both come back
// as what they were.
const options = { extensionCodec, useBigInt64: true, maxDepth: DEPTH_LIMIT + 1 } as const;
const encoder = new Encoder(options);
const decoder = new Decoder(options);

function decodeArray(bytes: Uint8Array): unknown[] {
  const members = decoder.decode(bytes);
  if (!Array.isArray(members)) throw new TypeError('a Map or Set that is no array inside');
  return members;
}

extensionCodec.register({
  type: Extension.map,
  encode: (value) => (value instanceof Map ? encoder.encode([...value].flat()) : null),
  decode: (bytes) => {
    const flat = decodeArray(bytes);
    if (flat.length % 2 !== 0) throw new RangeError('a Map whose last key has no value');
    const map = new Map<unknown, unknown>();
    for (let i = 0; i < flat.length; i += 2) map.set(flat[i], flat[i + 1]);
    return map;
  },
});

extensionCodec.register({
  type: Extension.set,
  encode: (value) => (value instanceof Set ? encoder.encode([...value]) : null),
  decode: (bytes) => new Set(decodeArray(bytes)),
});

extensionCodec.register({
  type: Extension.typedArray,
  encode: (value) => {
    // A Uint8Array, a Buffer too, is MessagePack's own binary.
    if (value instanceof Uint8Array) return null;
    const kind = TYPED_ARRAYS.findIndex((type) => value instanceof type);
    if (kind < 0) return null;
    const bytes = ArrayBuffer.isView(value)
      ? new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
      : new Uint8Array(value as ArrayBuffer);
    const encoded = new Uint8Array(1 + bytes.byteLength);
    encoded[0] = kind;
    encoded.set(bytes, 1);
    return encoded;
  },
  decode: (bytes) => {
    const type = TYPED_ARRAYS[bytes[0]!] as TypedArrayConstructor | typeof ArrayBuffer | undefined;
    if (type === undefined) throw new RangeError(`no typed array of kind ${bytes[0]}`);
    // Copied, because elements must be aligned.
    const { buffer } = bytes.slice(1);
    return type === ArrayBuffer ? buffer : new (type as TypedArrayConstructor)(buffer);
  },
});

/**
 * MessagePack, for interchange with other languages: decoded whole by every reader into ordinary objects of its own.
 * Beyond JSON it keeps Date, Map, Set, bigint of 64 bits, Uint8Array and the other typed arrays. As the format has it,
 * `undefined` and holes come back as `null`, -0 as 0, and a Buffer as a Uint8Array.
 */
export const msgpackCodec: Codec = {
  id: 'msgpack',
  keepsBytes: false,

  encode(value: unknown, target: EncodeTarget): number {
    // The library would write a RegExp as {} and a bigint of 65 bits as one of 64, and say nothing.
    checkEncodable(value, '$', 0);
    const encoded = encoder.encodeSharedRef(value);
    new Uint8Array(target.reserve(encoded.byteLength), 0, encoded.byteLength).set(encoded);
    return encoded.byteLength;
  },

  decode(source: DecodeSource): unknown {
    // The library hands out windows over what it decodes, and ours is not to be handed out: it gets a copy.
    const copy = new Uint8Array(source.buffer, 0, source.byteLength).slice();
    try {
      return decoder.decode(copy);
    } catch (cause) {
      throw new StoreError(
        'BYTES_INVALID',
        'the bytes of this version are not MessagePack: was it written by another program?',
        {
          cause,
        },
      );
    }
  },
};

function checkEncodable(value: unknown, path: string, depth: number): void {
  switch (typeof value) {
    case 'function':
    case 'symbol':
      throw unsupported(`a ${typeof value}`, path);
    case 'string':
      checkText(value, path);
      return;
    case 'bigint':
      if (BigInt.asIntN(64, value) !== value && BigInt.asUintN(64, value) !== value) {
        throw unsupported('a bigint of more than 64 bits', path);
      }
      return;
    case 'object':
      if (value !== null) checkObject(value, path, depth);
      return;
    default:
  }
}

function checkObject(value: object, path: string, depth: number): void {
  if (depth >= DEPTH_LIMIT)
    throw unsupported(`nesting of more than ${DEPTH_LIMIT} levels, or a cycle,`, `${path.slice(0, 80)}…`);
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) {
    checkBytes(value, path);
    return;
  }
  if (value instanceof Date) {
    if (Number.isNaN(value.getTime())) throw unsupported('an invalid Date', path);
    return;
  }
  if (Array.isArray(value)) {
    for (const [index, element] of value.entries()) checkEncodable(element, `${path}[${index}]`, depth + 1);
  } else if (value instanceof Map) {
    for (const [key, member] of value) {
      checkEncodable(key, `${path}.keys()`, depth + 1);
      checkEncodable(member, `${path}.get(${typeof key === 'object' ? '…' : String(key)})`, depth + 1);
    }
  } else if (value instanceof Set) {
    for (const member of value) checkEncodable(member, `${path}.values()`, depth + 1);
  } else {
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype !== Object.prototype && prototype !== null) {
      throw unsupported(`an instance of ${value.constructor?.name ?? 'a class'}`, path);
    }
    for (const [key, member] of Object.entries(value)) {
      if (key === '__proto__') throw unsupported('a key named __proto__', path);
      checkText(key, path);
      checkEncodable(member, `${path}.${key}`, depth + 1);
    }
  }
}

/** The library would write bytes that are no UTF-8, and other languages refuse the whole value then. */
function checkText(text: string, path: string): void {
  if ((text as string & { isWellFormed(): boolean }).isWellFormed()) return;
  throw unsupported('a string with half a surrogate pair', path);
}

function checkBytes(value: ArrayBufferView | ArrayBuffer, path: string): void {
  // Of another realm, or newer than this list: the library would write its bytes as a Uint8Array and say nothing.
  if (!(value instanceof Uint8Array) && !TYPED_ARRAYS.some((type) => value instanceof type)) {
    throw unsupported(`a foreign ${value.constructor.name}`, path);
  }
  try {
    new Uint8Array(ArrayBuffer.isView(value) ? value.buffer : value);
  } catch {
    throw unsupported(`a detached ${value.constructor.name}`, path);
  }
}

function unsupported(what: string, path: string): StoreError {
  return new StoreError(
    'VALUE_UNSUPPORTED',
    `the msgpack codec cannot encode ${what} at ${path}: leave it out, or use another codec`,
    {
      field: path,
    },
  );
}
