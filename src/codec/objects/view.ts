/** What comes back as it was published and is used as it is. */
type Atom =
  | string
  | number
  | boolean
  | bigint
  | symbol
  | null
  | undefined
  | Date
  | RegExp
  | Error
  | ArrayBufferView
  | ArrayBuffer
  // What a codec of the user's own may decode to.
  | ((...args: never[]) => unknown);

/**
 * What a reader sees of a published `T`: deeply read-only. Arrays and tuples are `readonly`, a Map is a
 * `ReadonlyMap`, a Set a `ReadonlySet`; dates, regular expressions, errors and binary data are themselves; an object
 * with `toJSON` is what that answers.
 */
export type View<T> = unknown extends T
  ? T
  : T extends Atom
    ? T
    : T extends ReadonlyMap<infer K, infer V>
      ? ReadonlyMap<View<K>, View<V>>
      : T extends ReadonlySet<infer E>
        ? ReadonlySet<View<E>>
        : T extends { toJSON(key: string): infer Form }
          ? View<Form>
          : T extends { toJSON(): infer Form }
            ? View<Form>
            : { readonly [K in keyof T]: View<T[K]> };
