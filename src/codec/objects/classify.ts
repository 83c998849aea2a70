/**
 * What a value is, as far as the codec is concerned. Only values that come back as what they were are taken: an
 * instance of a class, a subclass of Map or a boxed number would come back as something else.
 *
 * A prototype from another realm (`node:vm`) counts like ours; the value comes back with ours.
 */
export type ObjectClass =
  | 'plain'
  | 'null-prototype'
  | 'array'
  | 'date'
  | 'regexp'
  | 'map'
  | 'set'
  | 'binary'
  | 'error'
  | 'other';

const { getPrototypeOf } = Object;

/** The classes of errors by their number in the bytes. */
export const ERROR_CLASSES: readonly ErrorConstructor[] = [
  Error,
  EvalError,
  RangeError,
  ReferenceError,
  SyntaxError,
  TypeError,
  URIError,
  AggregateError as unknown as ErrorConstructor,
];

/** Throws unless `value` was made by the class it claims: prototypes can be lent, internal slots cannot. */
type BrandCheck = (value: object) => unknown;

const getterOf = (prototype: object, key: PropertyKey): BrandCheck => {
  const get = Object.getOwnPropertyDescriptor(prototype, key)?.get;
  return (value) => (get as () => unknown).call(value);
};

const BRANDED: ReadonlyMap<string, readonly [ObjectClass, BrandCheck]> = new Map([
  ['Date', ['date', (value: object) => Date.prototype.getTime.call(value as Date)]],
  ['RegExp', ['regexp', getterOf(RegExp.prototype, 'global')]],
  ['Map', ['map', getterOf(Map.prototype, 'size')]],
  ['Set', ['set', getterOf(Set.prototype, 'size')]],
  ['ArrayBuffer', ['binary', getterOf(ArrayBuffer.prototype, 'byteLength')]],
] as const);

export function classify(value: object): ObjectClass {
  const prototype = getPrototypeOf(value) as object | null;
  if (prototype === Object.prototype) return 'plain';
  if (prototype === null) return 'null-prototype';
  // The one Array.prototype of a realm is itself an array; the prototype of a subclass is not.
  if (Array.isArray(value)) return Array.isArray(prototype) ? 'array' : 'other';
  if (ArrayBuffer.isView(value)) return binaryNumber(value) === -1 ? 'other' : 'binary';
  const parent = getPrototypeOf(prototype) as object | null;
  if (parent === null) return isForeignPlain(value, prototype) ? 'plain' : 'other';
  const name = ownConstructorName(prototype);
  if (isErrorPrototype(prototype, parent)) {
    return Object.prototype.toString.call(value) === '[object Error]' ? 'error' : 'other';
  }
  // A subclass has a longer way to the root.
  if (getPrototypeOf(parent) !== null) return 'other';
  const branded = BRANDED.get(name);
  if (branded === undefined) return 'other';
  try {
    branded[1](value);
    return branded[0];
  } catch {
    return 'other';
  }
}

/** The number of an error's class in the bytes; `value` is classified as an error. */
export function errorNumber(value: object): number {
  const prototype = getPrototypeOf(value) as object;
  const own = ERROR_CLASSES.findIndex((Class) => Class.prototype === prototype);
  if (own !== -1) return own;
  return ERROR_CLASSES.findIndex((Class) => Class.name === ownConstructorName(prototype));
}

/** An error of a class, without any members of its own. */
export function bareError(number: number): Error {
  const Class = ERROR_CLASSES[number] as ErrorConstructor;
  const error = Class.prototype === AggregateError.prototype ? new AggregateError([]) : new Class();
  // What the constructor gave it (stack, errors) is not what was published.
  for (const key of Object.getOwnPropertyNames(error))
    delete (error as unknown as Record<string, unknown>)[key];
  return error;
}

function isErrorPrototype(prototype: object, parent: object): boolean {
  if (ERROR_CLASSES.some((Class) => Class.prototype === prototype)) return true;
  // Another realm's: native constructors have these names and this ancestry.
  const name = ownConstructorName(prototype);
  const chain = name === 'Error' ? parent : (getPrototypeOf(parent) as object | null);
  return (
    chain !== null &&
    getPrototypeOf(chain) === null &&
    ERROR_CLASSES.some((Class) => Class.name === name) &&
    isNative(prototype)
  );
}

function isForeignPlain(value: object, prototype: object): boolean {
  return (
    Object.hasOwn(prototype, 'isPrototypeOf') &&
    ownConstructorName(prototype) === 'Object' &&
    Object.prototype.toString.call(value) === '[object Object]'
  );
}

function ownConstructorName(prototype: object): string {
  return ownConstructor(prototype)?.name ?? '';
}

function isNative(prototype: object): boolean {
  const made = ownConstructor(prototype);
  return made !== undefined && /\{\s*\[native code\]\s*\}$/.test(Function.prototype.toString.call(made));
}

/** Read, not looked up by its descriptor: with `--frozen-intrinsics` it is an accessor. */
function ownConstructor(prototype: object): { name: string } | undefined {
  if (!Object.hasOwn(prototype, 'constructor')) return undefined;
  const made: unknown = prototype.constructor;
  return typeof made === 'function' ? made : undefined;
}

/** A constructor whose values are windows over bytes. */
export interface BinaryClass {
  readonly name: string;
  /** Bytes an element takes; the length of a value is a multiple of it. */
  readonly elementBytes: number;
  /** The value over `byteLength` bytes of `buffer` from `byteOffset` on. */
  make(buffer: ArrayBuffer, byteOffset: number, byteLength: number): object;
}

interface TypedArrayConstructor {
  readonly name: string;
  readonly prototype: object;
  readonly BYTES_PER_ELEMENT: number;
  new (buffer: ArrayBuffer, byteOffset: number, length: number): ArrayBufferView;
}

function typed(Class: TypedArrayConstructor | undefined): BinaryClass | null {
  if (Class === undefined) return null;
  return {
    name: Class.name,
    elementBytes: Class.BYTES_PER_ELEMENT,
    make: (buffer, byteOffset, byteLength) =>
      new Class(buffer, byteOffset, byteLength / Class.BYTES_PER_ELEMENT),
  };
}

/**
 * The classes of binary values by their number in the bytes. `null` where this engine lacks one: Float16Array
 * came with V8 13.
 */
export const BINARY_CLASSES: readonly (BinaryClass | null)[] = [
  {
    // Another value's bytes lie before and after: only a copy can be a whole ArrayBuffer.
    name: 'ArrayBuffer',
    elementBytes: 1,
    make: (buffer, byteOffset, byteLength) => buffer.slice(byteOffset, byteOffset + byteLength),
  },
  {
    name: 'DataView',
    elementBytes: 1,
    make: (buffer, byteOffset, byteLength) => new DataView(buffer, byteOffset, byteLength),
  },
  {
    name: 'Buffer',
    elementBytes: 1,
    make: (buffer, byteOffset, byteLength) => Buffer.from(buffer, byteOffset, byteLength),
  },
  typed(Uint8Array),
  typed(Int8Array),
  typed(Uint8ClampedArray),
  typed(Int16Array),
  typed(Uint16Array),
  typed(Int32Array),
  typed(Uint32Array),
  typed(Float32Array),
  typed(Float64Array),
  typed(BigInt64Array),
  typed(BigUint64Array),
  typed((globalThis as { Float16Array?: TypedArrayConstructor }).Float16Array),
];

export const BINARY_ARRAY_BUFFER = 0;

const PROTOTYPES: ReadonlyMap<object, number> = new Map(
  BINARY_CLASSES.flatMap((Class, number) =>
    Class === null
      ? []
      : [[(globalThis as unknown as Record<string, { prototype: object }>)[Class.name]!.prototype, number]],
  ),
);

/** The number of a binary value's class in the bytes, -1 for a subclass. */
export function binaryNumber(value: ArrayBufferView | ArrayBuffer): number {
  const prototype = getPrototypeOf(value) as object;
  const number = PROTOTYPES.get(prototype);
  if (number !== undefined) return number;
  const name = ownConstructorName(prototype);
  return isNative(prototype) ? BINARY_CLASSES.findIndex((Class) => Class?.name === name) : -1;
}

/** The bytes of a binary value where they lie. */
export function bytesOf(value: ArrayBufferView | ArrayBuffer): Uint8Array {
  return ArrayBuffer.isView(value)
    ? new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
    : new Uint8Array(value);
}
