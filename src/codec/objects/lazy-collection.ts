/**
 * A large array or dictionary that stays in the bytes behind a proxy.
 *
 * A proxy answers an element in 90 ns whatever it does, so a collection that is read again and again is *settled*:
 * made whole, once as many reads were paid for as that costs. The proxy's target then is the real, complete
 * collection and its traps are taken off, which makes everything exact; and the field that holds the proxy
 * answers the target instead as soon as nobody can tell: when the proxy itself has been collected. So `v.a === v.a`
 * holds at any time, and code that reads `v.a[i]` gets to the speed of a plain array.
 */
export interface LazyCollection {
  readonly proxy: object;
  /** Told when the collection is settled, by the field that holds the proxy. */
  settle: ((held: Held) => void) | null;
}

/** A settled collection, as its field holds it until the proxy is gone. */
export class Held {
  /** Nobody has the proxy any more: the target may be answered from now on. */
  settled = false;
  readonly #proxy: WeakRef<object>;
  readonly #target: object;

  constructor(proxy: object, target: object) {
    this.#proxy = new WeakRef(proxy);
    this.#target = target;
  }

  value(): object {
    const proxy = this.#proxy.deref();
    if (proxy !== undefined) return proxy;
    this.settled = true;
    return this.#target;
  }
}

/** Under this key, which no one else has, a proxy's `get` answers the state behind it. */
export const STATE: unique symbol = Symbol('vitrine.lazy');

/** Assigned over a proxy's handler: without traps, everything is done to the target. */
export const NO_TRAPS = {
  get: undefined,
  has: undefined,
  ownKeys: undefined,
  getOwnPropertyDescriptor: undefined,
  isExtensible: undefined,
  preventExtensions: undefined,
  set: undefined,
  defineProperty: undefined,
  deleteProperty: undefined,
  setPrototypeOf: undefined,
} as const;

/** The traps that refuse: in strict mode a `false` is a TypeError, as it is for a frozen object. */
export class ReadOnlyTraps {
  set(): boolean {
    return false;
  }

  defineProperty(): boolean {
    return false;
  }

  deleteProperty(): boolean {
    return false;
  }

  setPrototypeOf(): boolean {
    return false;
  }
}

/** A member that is not in the target yet; configurable, as the rules for proxies want it. */
export function ownMember(value: unknown): PropertyDescriptor {
  return { value, writable: false, enumerable: true, configurable: true };
}

export const INSPECT: unique symbol = Symbol.for('nodejs.util.inspect.custom');
