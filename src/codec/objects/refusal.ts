import { StoreError } from '../../errors.ts';
import { bytesOf, classify } from './classify.ts';
import { MAX_DEPTH } from './layout.ts';

/** Thrown inside the encoder where it meets something it cannot write; it knows neither path nor reason. */
export class Refusal extends Error {}

/** What stands where, from the root on. */
interface Finding {
  readonly path: string;
  readonly reason: string;
}

/**
 * Finds what the encoder refused. The encoder keeps no path, which would cost every publish; this second walk in
 * the same order is paid by the one that fails.
 */
export function explainRefusal(value: unknown): StoreError {
  const { path, reason } = find(value, '$', '', []) ?? {
    path: '$',
    reason: 'holds something that cannot be published and that changes when it is read',
  };
  const shown = path.length > 200 ? `${path.slice(0, 100)}…${path.slice(-100)}` : path;
  return new StoreError('VALUE_UNSUPPORTED', `${shown} ${reason}`, { field: path });
}

type Members = Record<string, unknown>;

function find(
  value: unknown,
  path: string,
  key: string,
  ancestors: object[],
  mayTransform = true,
): Finding | null {
  if (typeof value === 'function' || typeof value === 'symbol') {
    return { path, reason: `is a ${typeof value}: only data can be published` };
  }
  if (typeof value !== 'object' || value === null) return null;
  if (ancestors.includes(value))
    return { path, reason: 'refers back to an object that contains it: a cycle' };
  if (ancestors.length === MAX_DEPTH) return { path, reason: `is nested more than ${MAX_DEPTH} levels deep` };

  const kind = classify(value);
  const transforms = kind === 'plain' || kind === 'null-prototype' || kind === 'array' || kind === 'other';
  if (mayTransform && transforms && typeof (value as Members)['toJSON'] === 'function') {
    const result = ((value as Members)['toJSON'] as (key: string) => unknown).call(value, key);
    return find(result, path, key, ancestors, false);
  }

  ancestors.push(value);
  const found = findInside(value, kind, path, ancestors, mayTransform);
  ancestors.pop();
  return found;
}

function findInside(
  value: object,
  kind: ReturnType<typeof classify>,
  path: string,
  ancestors: object[],
  mayTransform: boolean,
): Finding | null {
  switch (kind) {
    case 'array':
      return firstOf((value as unknown[]).keys(), (i) =>
        find((value as unknown[])[i], `${path}[${i}]`, String(i), ancestors),
      );
    case 'map': {
      const entries = [...(value as Map<unknown, unknown>)];
      return firstOf(entries.keys(), (i) => {
        const [key, item] = entries[i] as [unknown, unknown];
        const name = typeof key === 'string' ? `.get(${JSON.stringify(key)})` : `.values()[${i}]`;
        return (
          find(key, `${path}.keys()[${i}]`, '', ancestors) ?? find(item, `${path}${name}`, '', ancestors)
        );
      });
    }
    case 'set': {
      const elements = [...(value as Set<unknown>)];
      return firstOf(elements.keys(), (i) => find(elements[i], `${path}.values()[${i}]`, '', ancestors));
    }
    case 'error': {
      const names = Object.getOwnPropertyNames(value);
      const order = [
        ...names.filter((name) => !isShown(value, name)),
        ...names.filter((name) => isShown(value, name)),
      ];
      return firstOf(order, (name) => find((value as Members)[name], join(path, name), name, ancestors));
    }
    case 'binary':
      return findInBinary(value as ArrayBufferView | ArrayBuffer, path);
    case 'other':
      if (mayTransform || Object.prototype.toString.call(value) !== '[object Object]') {
        return { path, reason: `is ${describe(value)}: it would come back without its class` };
      }
      break;
    case 'date':
    case 'regexp':
      return null;
    case 'plain':
    case 'null-prototype':
      break;
  }
  return firstOf(Object.keys(value), (name) =>
    find((value as Members)[name], join(path, name), name, ancestors),
  );
}

function findInBinary(value: ArrayBufferView | ArrayBuffer, path: string): Finding | null {
  try {
    bytesOf(value);
    return null;
  } catch {
    return { path, reason: 'is a window over bytes that are gone: its buffer was transferred or has shrunk' };
  }
}

function firstOf<T>(items: Iterable<T>, look: (item: T) => Finding | null): Finding | null {
  for (const item of items) {
    const found = look(item);
    if (found !== null) return found;
  }
  return null;
}

function isShown(value: object, name: string): boolean {
  return Object.prototype.propertyIsEnumerable.call(value, name);
}

function join(path: string, key: string): string {
  return /^[A-Za-z_$][\w$]*$/.test(key) ? `${path}.${key}` : `${path}[${JSON.stringify(key)}]`;
}

function describe(value: object): string {
  const tag = Object.prototype.toString.call(value).slice(8, -1);
  const made = (value as Members)['constructor'];
  const name = typeof made === 'function' && made.name !== '' ? made.name : tag;
  return `an instance of ${name}`;
}
