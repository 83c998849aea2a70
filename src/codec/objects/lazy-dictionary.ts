import { DICTIONARY_INDEX_SHIFT, DICTIONARY_NULL_PROTOTYPE, hashKey, TAG_TEXT } from './layout.ts';
import {
  Held,
  INSPECT,
  type LazyCollection,
  NO_TRAPS,
  ownMember,
  ReadOnlyTraps,
  STATE,
} from './lazy-collection.ts';
import { asStoreError, invalid, type Reading, readSlot, readTextSlot, readTouched } from './reading.ts';

type Members = Record<string, unknown>;

/** An object of many keys in the bytes: a key is found through the index there, and its value decoded alone. */
export class LazyDictionary implements LazyCollection {
  readonly reading: Reading;
  readonly size: number;
  readonly proxy: object;
  readonly prototype: object | null;
  settle: ((held: Held) => void) | null = null;

  private readonly target: Members;
  private readonly traps: DictionaryTraps;
  private readonly entries: number;
  private readonly index: number;
  private readonly mask: number;
  /** Values that are objects, which must stay the same. */
  private readonly values = new Map<string, unknown>();
  private readsLeft: number;

  constructor(reading: Reading, head: number) {
    const { u32, words } = reading;
    this.reading = reading;
    this.size = u32[2 * head] as number;
    const flags = u32[2 * head + 1] as number;
    this.entries = head + 2;
    this.index = u32[2 * head + 2] as number;
    const bits = (flags >>> DICTIONARY_INDEX_SHIFT) & 0xff;
    this.mask = 2 ** bits - 1;
    if (!(bits < 30 && this.entries + 2 * this.size <= words)) invalid('a dictionary outside of it');
    if (!(this.index > head && this.index + this.mask + 1 <= words)) invalid('an index outside of it');
    this.prototype = (flags & DICTIONARY_NULL_PROTOTYPE) === 0 ? Object.prototype : null;
    this.target = Object.create(this.prototype) as Members;
    this.readsLeft = this.size >>> 1;
    this.traps = new DictionaryTraps(this);
    this.proxy = new Proxy(this.target, this.traps);
    Object.defineProperty(this.target, INSPECT, inspectDescriptor(this));
  }

  has(key: string): boolean {
    if (this.values.has(key)) return true;
    this.reading.touch();
    return this.find(key) !== -1;
  }

  get(key: string): unknown {
    const known = this.values.get(key);
    if (known !== undefined) return known;
    if (--this.readsLeft < 0) return this.settleDown()[key];
    this.reading.touch();
    const entry = this.find(key);
    if (entry === -1)
      return this.prototype === null ? undefined : Reflect.get(this.prototype, key, this.proxy);
    const value = readTouched(this.reading, this.entries + 2 * entry + 1);
    if (typeof value === 'object' && value !== null) this.values.set(key, value);
    return value;
  }

  /** Makes the target the real object, and the proxy transparent. */
  complete(): object {
    const { reading, target } = this;
    reading.touch();
    const { size, prototype } = this;
    const keys = new Array<string>(size);
    const values = new Array<unknown>(size);
    reading.scans = 1;
    try {
      for (let entry = 0; entry < size; entry++) {
        reading.spend(2);
        const slot = this.entries + 2 * entry;
        const key = readTextSlot(reading, slot);
        keys[entry] = key;
        values[entry] = this.values.get(key) ?? readSlot(reading, slot + 1);
      }
    } catch (error) {
      throw asStoreError(error);
    } finally {
      reading.scans = 0;
    }
    delete target[INSPECT as unknown as string];
    for (let entry = 0; entry < size; entry++) {
      const key = keys[entry] as string;
      const value = values[entry];
      if (prototype !== null && key in prototype) {
        Object.defineProperty(target, key, { value, writable: true, enumerable: true, configurable: true });
      } else {
        target[key] = value;
      }
    }
    if (reading.freeze) Object.freeze(target);
    Object.assign(this.traps, NO_TRAPS);
    this.values.clear();
    return target;
  }

  private settleDown(): Members {
    this.readsLeft = Number.POSITIVE_INFINITY;
    const target = this.complete();
    this.settle?.(new Held(this.proxy, target));
    this.settle = null;
    return target as Members;
  }

  /** The entry of `key`, or -1. */
  private find(key: string): number {
    const { reading, mask, index } = this;
    const { u32 } = reading;
    const hash = hashKey(key);
    let place = hash & mask;
    for (let probes = 0; probes <= mask; probes++) {
      const entry = u32[2 * (index + place) + 1] as number;
      if (entry === 0) return -1;
      if (u32[2 * (index + place)] === hash) {
        if (entry > this.size) invalid('an index beyond its dictionary');
        if (holdsText(reading, this.entries + 2 * (entry - 1), key)) return entry - 1;
      }
      place = (place + 1) & mask;
    }
    return -1;
  }
}

/** Whether `slot` holds the text `key`: compared where it lies, without making a text. */
function holdsText(reading: Reading, slot: number, key: string): boolean {
  const { u32, bytes } = reading;
  const high = u32[2 * slot + 1] as number;
  if (high >>> 16 !== TAG_TEXT) return readTextSlot(reading, slot) === key;
  const { length } = key;
  const offset = u32[2 * slot] as number;
  if ((high & 0xffff) !== length || offset + length > reading.byteLength) return false;
  for (let i = 0; i < length; i++) {
    if (bytes[offset + i] !== key.charCodeAt(i)) return false;
  }
  return true;
}

/** Reading goes to the bytes; whatever asks for all members at once completes the object first. */
class DictionaryTraps extends ReadOnlyTraps implements ProxyHandler<Members> {
  private readonly dictionary: LazyDictionary;

  constructor(dictionary: LazyDictionary) {
    super();
    this.dictionary = dictionary;
  }

  get(target: Members, key: string | symbol): unknown {
    if (typeof key === 'string') return this.dictionary.get(key);
    return key === STATE ? this.dictionary : Reflect.get(target, key);
  }

  has(target: Members, key: string | symbol): boolean {
    return (
      (typeof key === 'string' && this.dictionary.has(key)) || (key !== INSPECT && Reflect.has(target, key))
    );
  }

  getOwnPropertyDescriptor(target: Members, key: string | symbol): PropertyDescriptor | undefined {
    if (typeof key !== 'string')
      return key === INSPECT ? undefined : Reflect.getOwnPropertyDescriptor(target, key);
    if (!this.dictionary.has(key)) return undefined;
    const value = this.dictionary.get(key);
    // This read may have been the one that completed it.
    return Reflect.getOwnPropertyDescriptor(target, key) ?? ownMember(value);
  }

  ownKeys(): (string | symbol)[] {
    return Reflect.ownKeys(this.dictionary.complete());
  }

  isExtensible(): boolean {
    return Reflect.isExtensible(this.dictionary.complete());
  }

  preventExtensions(): boolean {
    return Reflect.preventExtensions(this.dictionary.complete());
  }
}

/** util.inspect looks at a proxy's target: show it all members. */
function inspectDescriptor(dictionary: LazyDictionary): PropertyDescriptor {
  return { value: () => dictionary.complete(), configurable: true };
}
