import { PAGE_ROWS, PAGE_SHIFT } from './layout.ts';

/** What the methods need of a lazy array. */
interface Rows {
  readonly length: number;
  row(index: number): unknown;
  page(number: number): readonly unknown[];
  rows(): unknown[];
}

type Method = (this: unknown, ...args: never[]) => unknown;

/**
 * The methods of arrays for lazy ones. Those of Array.prototype are right for any proxy but ask it element by
 * element; these go through the rows page by page. Each does what its namesake does, on a value that has no holes
 * and does not change.
 */
export function lazyArrayMethods(
  rowsOf: (value: unknown) => Rows | undefined,
): ReadonlyMap<PropertyKey, Method> {
  const methods = new Map<PropertyKey, Method>();

  /** Defines `name`; a receiver that is no lazy array goes to the original. */
  const define = (
    name: string,
    method: (rows: Rows, receiver: unknown, args: unknown[]) => unknown,
  ): void => {
    const original = (Array.prototype as unknown as Record<string, Method | undefined>)[name];
    if (original === undefined) return;
    const wrapped = {
      [name](this: unknown, ...args: unknown[]): unknown {
        const rows = rowsOf(this);
        return rows === undefined ? Reflect.apply(original, this, args) : method(rows, this, args);
      },
    };
    methods.set(name, wrapped[name] as Method);
  };

  /** Defines a method that calls back row by row; `visit` returns whether to go on. */
  const defineVisitor = <Result>(
    name: string,
    begin: (rows: Rows) => Result,
    visit: (result: Result, answer: unknown, row: unknown, index: number) => Result | Done<Result>,
  ): void => {
    define(name, (rows, receiver, args) => {
      const callback = callable(args[0]);
      const thisArg = args[1];
      let result = begin(rows);
      let page: readonly unknown[] = [];
      for (let index = 0; index < rows.length; index++) {
        if ((index & (PAGE_ROWS - 1)) === 0) page = rows.page(index >>> PAGE_SHIFT);
        const row = page[index & (PAGE_ROWS - 1)];
        const next = visit(result, callback.call(thisArg, row, index, receiver), row, index);
        if (next instanceof Done) return next.result;
        result = next;
      }
      return result;
    });
  };

  defineVisitor(
    'forEach',
    () => undefined,
    () => undefined,
  );
  defineVisitor<unknown[]>(
    'map',
    (rows) => new Array<unknown>(rows.length),
    (result, answer, _row, index) => {
      result[index] = answer;
      return result;
    },
  );
  defineVisitor<unknown[]>(
    'filter',
    () => [],
    (result, answer, row) => {
      if (answer) result.push(row);
      return result;
    },
  );
  defineVisitor<unknown[]>(
    'flatMap',
    () => [],
    (result, answer) => {
      if (Array.isArray(answer)) for (const item of answer) result.push(item);
      else result.push(answer);
      return result;
    },
  );
  defineVisitor(
    'some',
    () => false,
    (_, answer) => (answer ? new Done(true) : false),
  );
  defineVisitor(
    'every',
    () => true,
    (_, answer) => (answer ? true : new Done(false)),
  );
  defineVisitor<unknown>(
    'find',
    () => undefined,
    (_, answer, row) => (answer ? new Done(row) : undefined),
  );
  defineVisitor(
    'findIndex',
    () => -1,
    (_, answer, _row, index) => (answer ? new Done(index) : -1),
  );

  define('reduce', (rows, receiver, args) => {
    const callback = callable(args[0]);
    if (rows.length === 0 && args.length < 2)
      throw new TypeError('Reduce of empty array with no initial value');
    let index = args.length < 2 ? 1 : 0;
    let result = args.length < 2 ? rows.page(0)[0] : args[1];
    let page = rows.length > 0 ? rows.page(0) : [];
    for (; index < rows.length; index++) {
      if ((index & (PAGE_ROWS - 1)) === 0) page = rows.page(index >>> PAGE_SHIFT);
      result = callback(result, page[index & (PAGE_ROWS - 1)], index, receiver);
    }
    return result;
  });

  define('at', (rows, _receiver, args) => {
    const asked = Math.trunc(Number(args[0])) || 0;
    const index = asked < 0 ? rows.length + asked : asked;
    return index >= 0 && index < rows.length ? rows.row(index) : undefined;
  });

  // These need all rows at once: a real array of them is made, and let go of afterwards.
  for (const name of [
    'concat',
    'flat',
    'includes',
    'indexOf',
    'join',
    'lastIndexOf',
    'slice',
    'toLocaleString',
    'toReversed',
    'toSorted',
    'toSpliced',
    'toString',
    'with',
  ]) {
    const original = (Array.prototype as unknown as Record<string, Method | undefined>)[name];
    if (original === undefined) continue;
    define(name, (rows, _receiver, args) => Reflect.apply(original, rows.rows(), args));
  }

  define('values', (rows) => iterate(rows, (_, row) => row));
  define('entries', (rows) => iterate(rows, (index, row) => [index, row]));
  methods.set(Symbol.iterator, methods.get('values') as Method);
  return methods;
}

/** The result of a method that has seen enough. */
class Done<Result> {
  readonly result: Result;
  constructor(result: Result) {
    this.result = result;
  }
}

function* iterate(rows: Rows, answer: (index: number, row: unknown) => unknown): Generator<unknown> {
  let page: readonly unknown[] = [];
  for (let index = 0; index < rows.length; index++) {
    if ((index & (PAGE_ROWS - 1)) === 0) page = rows.page(index >>> PAGE_SHIFT);
    yield answer(index, page[index & (PAGE_ROWS - 1)]);
  }
}

function callable(value: unknown): (...args: unknown[]) => unknown {
  if (typeof value !== 'function') throw new TypeError(`${String(value)} is not a function`);
  return value as (...args: unknown[]) => unknown;
}
