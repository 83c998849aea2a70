/**
 * Whether functions can be made from text. They cannot under `--disallow-code-generation-from-strings` (and some
 * hosts' policies); closures take their place then, at about half the speed.
 */
export const canGenerateCode: boolean = probe();

function probe(): boolean {
  try {
    return new Function('return true')() === true;
  } catch {
    return false;
  }
}

/** Makes a function in strict mode from `body`, with `scope`'s entries as its free names. */
export function generate<T>(scope: Record<string, unknown>, body: string): T {
  return new Function(...Object.keys(scope), `'use strict';\n${body}`)(...Object.values(scope)) as T;
}

/**
 * `key` as a name in an object literal. `__proto__: v` would set the prototype; computed, it is a member as any other
 * (all others as they are: a literal with computed names is made member by member).
 */
export function literalName(key: string): string {
  return key === '__proto__' ? `['__proto__']` : JSON.stringify(key);
}

/**
 * Gives `object` an own property, whatever its prototypes hold: an assignment would run a setter there
 * (`__proto__`), and fails where the prototype's property is frozen (`--frozen-intrinsics`).
 */
export function setOwn(object: object, key: string, value: unknown): void {
  if (key in object) {
    Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true });
  } else {
    (object as Record<string, unknown>)[key] = value;
  }
}
