import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { CompatData } from '@mdn/browser-compat-data';
import type { View } from 'vitrine';

/** What browsers can do, as MDN publishes it: the real thing, in one file. */
export const DATA_FILE: string = createRequire(import.meta.url).resolve('@mdn/browser-compat-data');

/** What this showcase needs to know of a node in the tree of features. */
interface Feature {
  readonly __compat?: { readonly support: Record<string, { version_added?: string | false }> };
  readonly [name: string]: unknown;
}

export type Path = readonly string[];

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null;

export function parseFile(path: string): CompatData {
  return JSON.parse(readFileSync(path, 'utf8')) as CompatData;
}

/** Calls `visit` for every object and array below `value`, itself included. */
export function walk(value: unknown, visit: (value: object) => void): void {
  if (!isObject(value)) return;
  visit(value);
  for (const key of Object.keys(value)) walk(value[key], visit);
}

/** Where the features are, in an order of no meaning, but the same in every process. */
export function featurePaths(data: View<CompatData>): Path[] {
  const paths: Path[] = [];
  const collect = (value: unknown, path: Path): void => {
    if (!isObject(value)) return;
    for (const key of Object.keys(value)) {
      if (key === '__compat') paths.push(path);
      else collect(value[key], [...path, key]);
    }
  };
  collect(data, []);
  let random = 1;
  for (let i = paths.length - 1; i > 0; i -= 1) {
    random = (Math.imul(random, 1_664_525) + 1_013_904_223) >>> 0;
    const j = random % (i + 1);
    [paths[i], paths[j]] = [paths[j]!, paths[i]!];
  }
  return paths;
}

/** Since which version Chrome has the feature: what a build tool asks thousands of times. */
export function chromeHas(data: View<CompatData>, path: Path): string | false | undefined {
  let feature = data as unknown as Feature;
  for (const name of path) feature = feature[name] as Feature;
  return feature.__compat?.support['chrome']?.version_added;
}

/** A hash over all there is in the value: equal only if every name, number and character is. */
export function digest(data: View<CompatData>): string {
  const hash = createHash('sha256');
  // Branch by branch: nobody has to hold it all as one string.
  for (const [name, branch] of Object.entries(data)) hash.update(name).update(JSON.stringify(branch));
  return hash.digest('hex').slice(0, 12);
}

/** The browser compatibility data as it may look when Chrome has shipped a few more versions. */
export class Evolution {
  readonly data: CompatData = parseFile(DATA_FILE);
  readonly #missing: { version_added?: string | false }[] = [];
  #release: number;

  constructor() {
    const { releases } = this.data.browsers.chrome;
    this.#release = Math.max(...Object.keys(releases).map(Number));
    walk(this.data, (value) => {
      const chrome = (value as Feature).__compat?.support['chrome'];
      if (chrome?.version_added === false) this.#missing.push(chrome);
    });
  }

  /** One more release of Chrome, with a hundred features that it did not have. Returns how many changed. */
  advance(): number {
    this.#release += 1;
    const release = String(this.#release);
    const { browsers, __meta } = this.data;
    const index = Object.keys(browsers.chrome.releases).length;
    browsers.chrome.releases[release] = {
      engine: 'Blink',
      engine_version: release,
      index,
      status: 'planned',
    };
    (__meta as { version: string }).version = `${__meta.version.split('+')[0]}+chrome.${release}`;
    const gained = this.#missing.splice(0, 100);
    for (const support of gained) support.version_added = release;
    return gained.length;
  }
}
