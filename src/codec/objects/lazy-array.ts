import { KIND_RECORDS, MAX_KEPT_ROWS, PAGE_ROWS, PAGE_SHIFT } from './layout.ts';
import { lazyArrayMethods } from './lazy-array-methods.ts';
import {
  Held,
  INSPECT,
  type LazyCollection,
  NO_TRAPS,
  ownMember,
  ReadOnlyTraps,
  STATE,
} from './lazy-collection.ts';
import { asStoreError, type Hydrator, invalid, type Reading, readSlot } from './reading.ts';

/** Decoded rows of one page; `undefined` where a row was not read yet. */
interface Page {
  readonly rows: unknown[];
  full: boolean;
}

/**
 * A large array in the bytes. Rows are decoded when they are read, by pages. The rows of up to `MAX_KEPT_ROWS` are
 * kept, so that `rows[i] === rows[i]`; iterating a longer array hands out rows that it does not keep, so that a
 * scan needs no heap.
 */
export class LazyArray implements LazyCollection {
  readonly reading: Reading;
  readonly length: number;
  /** The shape of all rows, or `null` for an array of anything. */
  readonly shape: Hydrator | null;
  readonly stride: number;
  /** The slot at which row 0 begins. */
  readonly first: number;
  readonly proxy: unknown[];
  settle: ((held: Held) => void) | null = null;

  private readonly target: unknown[] = [];
  private readonly traps: ArrayTraps;
  private readonly pages = new Map<number, Page>();
  private lastRead = -2;
  /** Reads by index until a settled array has paid for itself. */
  private readsLeft: number;

  constructor(reading: Reading, kind: number, head: number, length: number) {
    this.reading = reading;
    this.length = length;
    this.shape = kind === KIND_RECORDS ? reading.hydrator(reading.u32[2 * head + 1] as number) : null;
    this.stride = this.shape?.stride ?? 1;
    this.first = head + 1;
    if (!(this.first + length * this.stride <= reading.words)) invalid('an array outside of it');
    this.readsLeft = length <= MAX_KEPT_ROWS ? length >>> 1 : Number.POSITIVE_INFINITY;
    this.traps = new ArrayTraps(this);
    this.proxy = new Proxy(this.target, this.traps);
    Object.defineProperty(this.target, INSPECT, inspectDescriptor(this));
  }

  /** Row `index`, which is below the length. */
  row(index: number): unknown {
    if (--this.readsLeft < 0) return this.settleDown()[index];
    const number = index >>> PAGE_SHIFT;
    const known = this.pages.get(number)?.rows[index & (PAGE_ROWS - 1)];
    const next = index === this.lastRead + 1;
    this.lastRead = index;
    if (known !== undefined) return known;
    // Whoever reads row after row is about to read the rest of the page.
    if (next) return this.keptPage(number, true).rows[index & (PAGE_ROWS - 1)];
    const { rows } = this.keptPage(number, false);
    const row = this.decode(index, 1, []);
    rows[index & (PAGE_ROWS - 1)] = row[0];
    return row[0];
  }

  /** All rows of page `number`; not kept if the array is too long. */
  page(number: number): readonly unknown[] {
    if (this.length <= MAX_KEPT_ROWS) return this.keptPage(number, true).rows;
    const known = this.pages.get(number);
    return known?.full === true ? known.rows : this.fillPage(number, known?.rows.slice() ?? []);
  }

  eachRow(visit: (row: unknown, index: number) => void): void {
    let page: readonly unknown[] = [];
    for (let index = 0; index < this.length; index++) {
      if ((index & (PAGE_ROWS - 1)) === 0) page = this.page(index >>> PAGE_SHIFT);
      visit(page[index & (PAGE_ROWS - 1)], index);
    }
  }

  /** All rows as a real array that nobody else has. */
  rows(): unknown[] {
    const rows = new Array<unknown>(this.length);
    this.eachRow((row, index) => {
      rows[index] = row;
    });
    return rows;
  }

  /** The first rows only, in an array of the full length. */
  firstRows(count: number): unknown[] {
    const rows = new Array<unknown>(this.length);
    for (let i = 0; i < Math.min(count, this.length); i++) rows[i] = this.row(i);
    return rows;
  }

  /** Makes the target the real array, and the proxy transparent. */
  complete(): unknown[] {
    const { target } = this;
    const rows = this.rows();
    delete (target as { [INSPECT]?: unknown })[INSPECT];
    target.length = this.length;
    for (let i = 0; i < rows.length; i++) target[i] = rows[i];
    if (this.reading.freeze) Object.freeze(target);
    Object.assign(this.traps, NO_TRAPS);
    this.pages.clear();
    return target;
  }

  private settleDown(): unknown[] {
    this.readsLeft = Number.POSITIVE_INFINITY;
    const target = this.complete();
    this.settle?.(new Held(this.proxy, target));
    this.settle = null;
    return target;
  }

  private keptPage(number: number, whole: boolean): Page {
    let page = this.pages.get(number);
    if (page === undefined) {
      page = { rows: new Array<unknown>(PAGE_ROWS).fill(undefined), full: false };
      if (this.pages.size >= MAX_KEPT_ROWS / PAGE_ROWS)
        this.pages.delete(this.pages.keys().next().value as number);
      this.pages.set(number, page);
    }
    if (whole && !page.full) {
      this.fillPage(number, page.rows);
      page.full = true;
    }
    return page;
  }

  private fillPage(number: number, rows: unknown[]): unknown[] {
    const start = number << PAGE_SHIFT;
    return this.decode(start, Math.min(PAGE_ROWS, this.length - start), rows);
  }

  /** Decodes the rows from `start` on that are not in `rows` yet. */
  private decode(start: number, count: number, rows: unknown[]): unknown[] {
    const { reading, shape, stride } = this;
    reading.touch();
    reading.scans = count > 1 ? 1 : 0;
    try {
      let slot = this.first + start * stride;
      if (shape === null) {
        for (let i = 0; i < count; i++, slot++) rows[i] ??= readSlot(reading, slot);
      } else {
        for (let i = 0; i < count; i++, slot += stride) {
          if (rows[i] === undefined) rows[i] = shape.hydrate(reading, slot);
        }
        if (count === PAGE_ROWS) shape.keepSample(rows[0] as object);
      }
      return rows;
    } catch (error) {
      throw asStoreError(error);
    } finally {
      reading.scans = 0;
    }
  }
}

/** The state behind a value that is a lazy array, otherwise `undefined`. */
export function lazyArrayOf(value: unknown): LazyArray | undefined {
  if (!Array.isArray(value)) return undefined;
  const state = (value as { [STATE]?: unknown })[STATE];
  return state instanceof LazyArray ? state : undefined;
}

/** The index that `key` names, or -1: digits only, no leading zero. */
function indexOf(key: string): number {
  const { length } = key;
  if (length === 0 || length > 10 || (length > 1 && key.charCodeAt(0) === 48)) return -1;
  let index = 0;
  for (let i = 0; i < length; i++) {
    const digit = key.charCodeAt(i) - 48;
    if (!(digit >= 0 && digit <= 9)) return -1;
    index = index * 10 + digit;
  }
  return index;
}

/** Reading goes to the bytes; whatever asks for all members at once completes the array first. */
class ArrayTraps extends ReadOnlyTraps implements ProxyHandler<unknown[]> {
  private readonly array: LazyArray;

  constructor(array: LazyArray) {
    super();
    this.array = array;
  }

  get(_: unknown[], key: string | symbol): unknown {
    const { array } = this;
    if (typeof key === 'string') {
      const index = indexOf(key);
      if (index >= 0) return index < array.length ? array.row(index) : undefined;
      if (key === 'length') return array.length;
    } else if (key === STATE) {
      return array;
    }
    return METHODS.get(key) ?? Reflect.get(Array.prototype, key);
  }

  has(_: unknown[], key: string | symbol): boolean {
    if (typeof key === 'string') {
      const index = indexOf(key);
      if (index >= 0 && index < this.array.length) return true;
    }
    return Reflect.has(Array.prototype, key);
  }

  getOwnPropertyDescriptor(target: unknown[], key: string | symbol): PropertyDescriptor | undefined {
    const { array } = this;
    if (key === 'length')
      return { value: array.length, writable: true, enumerable: false, configurable: false };
    if (typeof key === 'string') {
      const index = indexOf(key);
      if (index < 0 || index >= array.length) return undefined;
      const value = array.row(index);
      // This read may have been the one that completed it.
      return Reflect.getOwnPropertyDescriptor(target, key) ?? ownMember(value);
    }
    return key === INSPECT ? undefined : Reflect.getOwnPropertyDescriptor(target, key);
  }

  ownKeys(): (string | symbol)[] {
    return Reflect.ownKeys(this.array.complete());
  }

  isExtensible(): boolean {
    return Reflect.isExtensible(this.array.complete());
  }

  preventExtensions(): boolean {
    return Reflect.preventExtensions(this.array.complete());
  }
}

const METHODS = lazyArrayMethods(lazyArrayOf);

/** util.inspect looks at a proxy's target: show it the rows that it prints. */
function inspectDescriptor(array: LazyArray): PropertyDescriptor {
  return {
    value: (_depth: number, options: { maxArrayLength?: number | null }) =>
      array.firstRows(options.maxArrayLength ?? 100),
    configurable: true,
  };
}
