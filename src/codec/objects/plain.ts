import { BINARY_CLASSES, bareError, binaryNumber, bytesOf, classify, errorNumber } from './classify.ts';
import { setOwn } from './code-generation.ts';
import { lazyArrayOf } from './lazy-array.ts';

type Members = Record<string, unknown>;

/**
 * An independent deep copy of a view: ordinary objects, arrays and collections that are not frozen, hold nothing of
 * the snapshot and can be written, passed to `structuredClone` and posted to other threads. Binary data is copied.
 *
 * Works on any published value or part of one, and on data that was never published. A binary value that stands
 * in several places is copied once.
 *
 * @throws {StoreError} `SNAPSHOT_RELEASED` if it meets a part that was not read before the snapshot was released.
 * @throws {TypeError} for what cannot be published.
 */
export function toPlain<T>(view: T): Mutable<T> {
  return copy(view, new Map()) as Mutable<T>;
}

/** What {@link toPlain} returns: `T` without `readonly`. */
export type Mutable<T> = T extends
  | string
  | number
  | boolean
  | bigint
  | symbol
  | null
  | undefined
  | ((...args: never[]) => unknown)
  | Date
  | RegExp
  | Error
  | ArrayBufferView
  | ArrayBuffer
  ? T
  : T extends ReadonlyMap<infer K, infer V>
    ? Map<Mutable<K>, Mutable<V>>
    : T extends ReadonlySet<infer E>
      ? Set<Mutable<E>>
      : { -readonly [K in keyof T]: Mutable<T[K]> };

function copy(value: unknown, copied: Map<object, object>): unknown {
  if (typeof value === 'function' || typeof value === 'symbol')
    throw new TypeError(`cannot copy a ${typeof value}`);
  if (typeof value !== 'object' || value === null) return value;
  switch (classify(value)) {
    case 'plain':
      return copyMembers(value, {}, copied);
    case 'null-prototype':
      return copyMembers(value, Object.create(null) as object, copied);
    case 'array':
      return copyArray(value as unknown[], copied);
    case 'map': {
      const map = new Map<unknown, unknown>();
      for (const [key, item] of value as Map<unknown, unknown>)
        map.set(copy(key, copied), copy(item, copied));
      return map;
    }
    case 'set': {
      const set = new Set<unknown>();
      for (const item of value as Set<unknown>) set.add(copy(item, copied));
      return set;
    }
    case 'date':
      return new Date(value as Date);
    case 'regexp': {
      const { source, flags, lastIndex } = value as RegExp;
      return Object.assign(new RegExp(source, flags), { lastIndex });
    }
    case 'error':
      return copyError(value as Error, copied);
    case 'binary': {
      const known = copied.get(value);
      if (known !== undefined) return known;
      const bytes = bytesOf(value as ArrayBufferView | ArrayBuffer).slice();
      const Class = BINARY_CLASSES[binaryNumber(value as ArrayBufferView | ArrayBuffer)];
      const made = Class?.make(bytes.buffer, bytes.byteOffset, bytes.byteLength) as object;
      copied.set(value, made);
      return made;
    }
    case 'other':
      throw new TypeError(`cannot copy an instance of ${value.constructor?.name ?? 'a class'}`);
  }
}

function copyMembers(value: object, into: object, copied: Map<object, object>): object {
  for (const key of Object.keys(value)) setOwn(into, key, copy((value as Members)[key], copied));
  return into;
}

function copyArray(value: readonly unknown[], copied: Map<object, object>): unknown[] {
  const lazy = lazyArrayOf(value);
  const into = new Array<unknown>(value.length);
  if (lazy !== undefined) {
    lazy.eachRow((row, index) => {
      into[index] = copy(row, copied);
    });
    return into;
  }
  for (let i = 0; i < value.length; i++) {
    const item = value[i];
    // A hole stays one.
    if (item !== undefined || Object.hasOwn(value, i)) into[i] = copy(item, copied);
  }
  return into;
}

function copyError(value: Error, copied: Map<object, object>): Error {
  const made = bareError(errorNumber(value));
  for (const key of Object.getOwnPropertyNames(value)) {
    const enumerable = Object.prototype.propertyIsEnumerable.call(value, key);
    const item = copy((value as unknown as Members)[key], copied);
    Object.defineProperty(made, key, { value: item, writable: true, enumerable, configurable: true });
  }
  return made;
}
