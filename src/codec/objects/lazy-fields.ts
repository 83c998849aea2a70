import { generate } from './code-generation.ts';
import { type Held, INSPECT, type LazyCollection } from './lazy-collection.ts';
import { type Reading, readTouched } from './reading.ts';

/**
 * The fields of a shape that are decoded when first read: own enumerable accessors, the same functions for all
 * objects of the shape, so that they share a hidden class. Their state is in private names stamped on the object,
 * where nobody sees it and no table of objects has to be kept.
 */
export interface LazyField {
  /** Adds the accessor of `field`. */
  define(object: object, field: number): void;
  /** Stamps the state after all members were added. */
  finish(object: object, reading: Reading, first: number): void;
}

/** Returns the object it is given instead of a new one: a subclass's private names are stamped on it. */
class Stamp {
  constructor(object: object) {
    // biome-ignore lint/correctness/noConstructorReturn: that is what it is for
    return object;
  }
}

// biome-ignore lint/suspicious/noExplicitAny: not in the types, being Annex B; half the cost of defineProperty
const defineGetter = (Object.prototype as any).__defineGetter__ as (
  this: object,
  key: string,
  get: () => unknown,
) => void;
const { getPrototypeOf } = Object;

/** console.log shows values, not accessors. */
const inspectDescriptor = {
  value(
    this: object,
    depth: number,
    options: { stylize?: (text: string, style: string) => string },
  ): unknown {
    if (depth < 0) return options.stylize?.('[Object]', 'special') ?? '[Object]';
    return Object.assign(Object.create(getPrototypeOf(this) as object | null), this);
  },
  enumerable: false,
  configurable: true,
  writable: true,
};

function definer(keys: readonly string[], getters: readonly ((() => unknown) | null)[]): LazyField['define'] {
  return (object, field) => {
    defineGetter.call(object, keys[field] as string, getters[field] as () => unknown);
  };
}

/** What a lazy field holds once it was read: `keep` stores it, `settle` is told of a collection gone hot. */
function load(reading: Reading, slot: number, keep: (value: unknown, held: Held | null) => void): unknown {
  const value = readTouched(reading, slot);
  keep(value, null);
  const collection = reading.newest as LazyCollection | null;
  if (collection !== null && collection.proxy === value) {
    collection.settle = (held) => keep(undefined, held);
  }
  return value;
}

/** Accessors over one state object: slower, but needs no code from text. */
class State extends Stamp {
  #state: { reading: Reading; first: number; values: unknown[]; held: (Held | null)[] };

  constructor(object: object, reading: Reading, first: number, stride: number) {
    super(object);
    this.#state = { reading, first, values: new Array(stride).fill(undefined), held: [] };
  }

  static read(object: object, field: number): unknown {
    let owner: object | null = object;
    while (!(#state in owner)) {
      owner = getPrototypeOf(owner) as object | null;
      if (owner === null) throw new TypeError('a lazy field was read on an object that does not have it');
    }
    const state = owner.#state;
    const value = state.values[field];
    if (value !== undefined) return value;
    const held = state.held[field] ?? null;
    if (held !== null) {
      const answer = held.value();
      if (held.settled) {
        state.values[field] = answer;
        state.held[field] = null;
      }
      return answer;
    }
    return load(state.reading, state.first + field, (loaded, holder) => {
      state.values[field] = loaded;
      state.held[field] = holder;
    });
  }
}

export function lazyFieldsByClosure(keys: readonly string[], lazy: readonly boolean[]): LazyField {
  const getters = lazy.map((isLazy, field) =>
    isLazy
      ? function (this: object): unknown {
          return State.read(this, field);
        }
      : null,
  );
  return {
    define: definer(keys, getters),
    finish(object, reading, first) {
      Object.defineProperty(object, INSPECT, inspectDescriptor);
      new State(object, reading, first, keys.length);
    },
  };
}

/** Accessors generated for one shape, so that each has its own inline cache: they read like a data property. */
export function lazyFieldsByCode(keys: readonly string[], lazy: readonly boolean[]): LazyField {
  const fields = keys.map((_, field) => field).filter((field) => lazy[field] === true);
  const getter = (field: number): string => `
    static get${field}() {
      if (!(#first in this)) return Cells.get${field}.call(Cells.owner(this));
      const value = this.#v${field};
      return value !== undefined ? value : Cells.load${field}(this);
    }
    static load${field}(cells) {
      const held = cells.#held?.[${field}] ?? null;
      if (held !== null) {
        const answer = held.value();
        if (held.settled) { cells.#v${field} = answer; cells.#held[${field}] = null; }
        return answer;
      }
      return load(cells.#reading, cells.#first + ${field}, (value, holder) => {
        cells.#v${field} = value;
        if (holder !== null) { cells.#held ??= []; cells.#held[${field}] = holder; }
      });
    }`;
  const body = `
    class Cells extends Stamp {
      #reading; #first; #held; ${fields.map((field) => `#v${field};`).join(' ')}
      constructor(object, reading, first) {
        super(object);
        this.#reading = reading;
        this.#first = first;
      }
      static owner(object) {
        do {
          object = getPrototypeOf(object);
          if (object === null) throw new TypeError('a lazy field was read on an object that does not have it');
        } while (!(#first in object));
        return object;
      }
      ${fields.map(getter).join('')}
      static getters() {
        return [${keys.map((_, field) => (lazy[field] === true ? `Cells.get${field}` : 'null')).join(', ')}];
      }
    }
    return Cells;`;
  const Cells = generate<
    (new (
      object: object,
      reading: Reading,
      first: number,
    ) => object) & { getters(): ((() => unknown) | null)[] }
  >({ Stamp, load, getPrototypeOf }, body);
  return {
    define: definer(keys, Cells.getters()),
    finish(object, reading, first) {
      Object.defineProperty(object, INSPECT, inspectDescriptor);
      new Cells(object, reading, first);
    },
  };
}
